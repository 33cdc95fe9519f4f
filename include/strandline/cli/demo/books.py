"""Our ledger against the simulated venues' tapes, which no client sees: what truly happened."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final
from urllib.request import urlopen

from sqlalchemy import Connection, text

_LAMPORTS: Final = 10**9

Books = dict[tuple[str, str], Decimal]
"""By venue and what is had there: a token's contract, or cash as its asset's name."""


def read_tape(control_url: str) -> list[dict[str, Any]]:
    """All of it."""
    with urlopen(f"{control_url}/tape", timeout=30) as answer:  # noqa: S310  on this machine
        return [json.loads(line) for line in answer]


def differences(connection: Connection, tape: Iterable[Mapping[str, Any]], account: str, wallet: str) -> list[str]:
    """A line for each thing of which the ledger and the venues do not have the same; none means that they agree."""
    entries = list(tape)
    truth = {**_perps(entries, account.lower()), **_tokens(entries, wallet)}
    ours = _ledger(connection)
    return [
        f"{venue} {name}: the venue has {truth.get((venue, name), 0):f}, the ledger {ours.get((venue, name), 0):f}"
        for venue, name in sorted({*truth, *ours})
        if truth.get((venue, name), 0) != ours.get((venue, name), 0)
    ]


def _perps(entries: Iterable[Mapping[str, Any]], account: str) -> Books:
    books: Books = defaultdict(Decimal)
    for entry in entries:
        data = entry["data"]
        if entry["venue"] != "hyperliquid" or data.get("account") != account:
            continue
        if entry["kind"] == "fill":
            side = 1 if data["side"] == "B" else -1
            books["hyperliquid", data["coin"]] += side * Decimal(data["sz"])
        if "balance" in data:
            books["hyperliquid", "USDC"] = Decimal(data["balance"])
    return books


def _tokens(entries: Iterable[Mapping[str, Any]], wallet: str) -> Books:
    from strandline_sim.solana.tokens import DEFAULT_TOKENS

    names = {str(token.mint): ("USDC" if token.symbol == "USDC" else str(token.mint)) for token in DEFAULT_TOKENS}
    decimals = {str(token.mint): token.decimals for token in DEFAULT_TOKENS}
    books: Books = defaultdict(Decimal)
    for mint, amount in _token_moves(entries, wallet):
        books["solana", names[mint]] += amount.scaleb(-decimals[mint])
    for entry in entries:
        if entry["venue"] == "solana" and entry["kind"] in {"funded", "landed", "failed"}:
            books["solana", "SOL"] += Decimal(entry["data"]["lamports"].get(wallet, 0)) / _LAMPORTS
    return books


def _token_moves(entries: Iterable[Mapping[str, Any]], wallet: str) -> Iterator[tuple[str, Decimal]]:
    for entry in entries:
        if entry["venue"] == "solana" and entry["kind"] in {"funded", "landed", "failed"}:
            for move in entry["data"]["tokens"]:
                if move["owner"] == wallet:
                    yield move["mint"], Decimal(move["amount"])


def _ledger(connection: Connection) -> Books:
    """What was paid for an open perp is margin to us, and to the venue a debt of the balance."""
    held = connection.execute(
        text("""
        SELECT token_chain, name, sum(amount) AS amount FROM (
          SELECT token_chain, token_contract AS name, quantity AS amount
          FROM holdings JOIN positions USING (position_id)
          UNION ALL SELECT token_chain, token_contract, quantity FROM dust
          UNION ALL SELECT token_chain, asset, amount FROM cash
          UNION ALL SELECT token_chain, 'USDC', -(invested - extracted + realised_pnl)
          FROM holdings JOIN positions USING (position_id) WHERE book_id = 'perps' AND quantity > 0) AS had
        GROUP BY 1, 2
        """)
    )
    return {(row.token_chain, row.name): row.amount for row in held}
