"""Our ledger against the simulated venues' tapes, which no client sees: what truly happened."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from http.client import HTTPException
from typing import Any, Final
from urllib.request import urlopen

from sqlalchemy import Connection, text

_LAMPORTS: Final = 10**9

Books = dict[tuple[str, str], Decimal]
"""By venue and what is had there: a token's contract, or cash as its asset's name."""


def read_tape(control_url: str) -> list[dict[str, Any]]:
    """Return every entry; OSError while the simulator is away."""
    try:
        with urlopen(f"{control_url}/tape", timeout=30) as response:  # noqa: S310  on this machine
            return [json.loads(line) for line in response]
    except (HTTPException, ValueError) as error:  # killed half-way
        raise OSError(f"the simulator's tape breaks off: {error!r}") from error


def differences(connection: Connection, tape: Iterable[Mapping[str, Any]], account: str, wallet: str) -> list[str]:
    """Return a line for each asset of which the ledger and the venues have different amounts; none if they agree."""
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
    for change in _lasting_changes(entries):
        books["solana", "SOL"] += Decimal(change["lamports"].get(wallet, 0)) / _LAMPORTS
        for move in change["tokens"]:
            if move["owner"] == wallet:
                books["solana", names[move["mint"]]] += Decimal(move["amount"]).scaleb(-decimals[move["mint"]])
    return books


def _lasting_changes(entries: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """What changed balances on the chain, without the transactions that a fork has undone."""
    landed: dict[str, Mapping[str, Any]] = {}
    for entry in entries:
        kind, data = entry["kind"], entry["data"]
        if entry["venue"] != "solana":
            continue
        if kind == "funded":
            yield data
        elif kind in {"landed", "failed"}:
            landed[data["signature"]] = data
        elif kind == "forked":
            for signature in data["undone"]:
                landed.pop(signature, None)
    yield from landed.values()


def _ledger(connection: Connection) -> Books:
    """What was paid for an open perp is margin to us, and to the venue a debt of the balance."""
    held = connection.execute(
        text("""
        SELECT token_chain, name, sum(amount) AS amount FROM (
          SELECT token_chain, token_contract AS name, quantity AS amount
          FROM holdings JOIN positions USING (position_id)
          UNION ALL SELECT token_chain, token_contract, quantity FROM dust
          UNION ALL SELECT token_chain, asset, amount FROM cash
          UNION ALL SELECT token_chain, 'USDC', -cost
          FROM holdings JOIN positions USING (position_id) WHERE book_id = 'perps') AS had
        GROUP BY 1, 2
        """)
    )
    return {(row.token_chain, row.name): row.amount for row in held}
