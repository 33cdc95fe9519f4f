"""What the venues' tape says to have happened, where it says that something was undone."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from strandline.cli.demo.books import differences, read_tape
from strandline_sim.solana.tokens import DEFAULT_TOKENS
from tests.conftest import Database
from tests.store.rows import insert, insert_all

WALLET = "wallet"
JUP = next(str(token.mint) for token in DEFAULT_TOKENS if token.symbol == "JUP")


def solana(kind: str, **data: object) -> dict[str, object]:
    return {"at": 0, "venue": "solana", "kind": kind, "data": data}


def landed(signature: str, amount: str, kind: str = "landed") -> dict[str, object]:
    tokens = [{"owner": WALLET, "mint": JUP, "amount": amount}] if kind == "landed" else []
    return solana(kind, signature=signature, lamports={WALLET: "-5000"}, tokens=tokens)


def test_a_forked_transaction_never_happened(database: Database) -> None:
    with database.admin.connect() as connection:
        kept = landed("kept", "7000000")
        expected = differences(connection, [kept], "0x", WALLET)
        assert len(expected) == 2
        lost = [landed("lost", "1000000"), landed("failed", "0", kind="failed")]
        fork = solana("forked", lost="lost", undone=["lost", "failed"])
        assert differences(connection, [kept, *lost, fork], "0x", WALLET) == expected
        # One that lands again after the fork has happened once.
        again = [landed("kept", "7000000"), solana("forked", lost="x", undone=["kept"]), landed("kept", "7000000")]
        assert differences(connection, again, "0x", WALLET) == expected


def test_a_failed_transaction_costs_its_fee(database: Database) -> None:
    with database.admin.connect() as connection:
        assert differences(connection, [landed("failed", "0", kind="failed")], "0x", WALLET) == [
            "solana SOL: the venue has -0.000005, the ledger 0.000000"
        ]


def test_the_ledger_is_holdings_dust_and_cash(database: Database) -> None:
    """What was paid for an open perp is gone from the venue's balance."""
    with database.session() as connection:
        insert_all(connection, "instruments", "positions", "venue_accounts", "cash")
        insert(connection, "holdings", quantity="0.5", invested=100)
        insert(connection, "dust", quantity="0.25")
        assert differences(connection, [], "0x", WALLET) == [
            "hyperliquid BTC: the venue has 0.000000, the ledger 0.75",
            "hyperliquid USDC: the venue has 0.000000, the ledger 4816",
        ]


class _BrokenTape(http.server.BaseHTTPRequestHandler):
    begun = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(self.begun)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def broken_tape(begun: bytes) -> Iterator[str]:
    """A simulator that is killed while it answers."""
    handler = type("Handler", (_BrokenTape,), {"begun": begun})
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("begun", [b'{"at": 1}\n{"at"', b'{"at": 1}\n'])
def test_a_tape_that_breaks_off_is_an_error_that_can_be_waited_for(begun: bytes) -> None:
    """Between two lines too: the rest would be taken for a difference."""
    with broken_tape(begun) as url, pytest.raises(OSError, match="breaks off"):
        read_tape(url)
