"""What the venues' tape says to have happened, where it says that something was undone."""

import functools
import http.server
import threading
from collections.abc import Iterator

import pytest

from strandline.cli.demo.books import differences, read_tape
from strandline_sim.solana.tokens import DEFAULT_TOKENS
from tests.conftest import Database

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


class _BrokenTape(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b'{"at": 1}\n{"at"')

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def broken_tape() -> Iterator[str]:
    """A simulator that is killed while it answers."""
    with http.server.HTTPServer(("127.0.0.1", 0), functools.partial(_BrokenTape)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_tape_that_breaks_off_is_an_error_that_can_be_waited_for(broken_tape: str) -> None:
    with pytest.raises(OSError, match="breaks off"):
        read_tape(broken_tape)
