"""Compares the ledger with the simulated venues' tape, which has everything that they did."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from http.client import HTTPException
from typing import Any, Final
from urllib.request import urlopen

from sqlalchemy import Connection, text

_LAMPORTS: Final = 10**9

Balances = dict[tuple[str, str], Decimal]
"""Amounts by venue and asset: a token's contract, or the name of a cash asset."""


def read_tape(control_url: str) -> list[dict[str, Any]]:
    """Return all entries of the tape; raise OSError while the simulator is away."""
    try:
        with urlopen(f"{control_url}/tape", timeout=30) as response:  # noqa: S310  on this machine
            return [json.loads(line) for line in response.read().splitlines()]
    except (HTTPException, ValueError) as error:  # killed half-way
        raise OSError(f"the simulator's tape breaks off: {error!r}") from error


def differences(connection: Connection, tape: Iterable[Mapping[str, Any]], account: str, wallet: str) -> list[str]:
    """Return a line for each asset whose amount in the ledger differs from that at the venue."""
    entries = list(tape)
    venues = {**_hyperliquid_balances(entries, account.lower()), **_solana_balances(entries, wallet)}
    ledger = _ledger_balances(connection)
    return [
        f"{venue} {name}: the venue has {venues.get((venue, name), 0):f}, the ledger {ledger.get((venue, name), 0):f}"
        for venue, name in sorted({*venues, *ledger})
        if venues.get((venue, name), 0) != ledger.get((venue, name), 0)
    ]


def _hyperliquid_balances(entries: Iterable[Mapping[str, Any]], account: str) -> Balances:
    balances: Balances = defaultdict(Decimal)
    for entry in entries:
        data = entry["data"]
        if entry["venue"] != "hyperliquid" or data.get("account") != account:
            continue
        if entry["kind"] == "fill":
            side = 1 if data["side"] == "B" else -1
            balances["hyperliquid", data["coin"]] += side * Decimal(data["sz"])
        if "balance" in data:
            balances["hyperliquid", "USDC"] = Decimal(data["balance"])
    return balances


def _solana_balances(entries: Iterable[Mapping[str, Any]], wallet: str) -> Balances:
    from strandline_sim.solana.tokens import DEFAULT_TOKENS

    names = {str(token.mint): ("USDC" if token.symbol == "USDC" else str(token.mint)) for token in DEFAULT_TOKENS}
    decimals = {str(token.mint): token.decimals for token in DEFAULT_TOKENS}
    balances: Balances = defaultdict(Decimal)
    for change in _balance_changes(entries):
        balances["solana", "SOL"] += Decimal(change["lamports"].get(wallet, 0)) / _LAMPORTS
        for move in change["tokens"]:
            if move["owner"] == wallet:
                balances["solana", names[move["mint"]]] += Decimal(move["amount"]).scaleb(-decimals[move["mint"]])
    return balances


def _balance_changes(entries: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield the entries that changed balances on the chain, without transactions that a fork has undone."""
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


def _ledger_balances(connection: Connection) -> Balances:
    """Read the ledger's amounts. The cost of open perps is subtracted from cash, as in the venue's balance."""
    held = connection.execute(
        text("""
        SELECT token_chain, name, sum(amount) AS amount FROM (
          SELECT token_chain, token_contract AS name, quantity AS amount
          FROM holdings JOIN positions USING (position_id)
          UNION ALL SELECT token_chain, token_contract, quantity FROM dust
          UNION ALL SELECT token_chain, asset, amount FROM cash
          UNION ALL SELECT token_chain, 'USDC', -cost
          FROM holdings JOIN positions USING (position_id) WHERE book_id = 'perps') AS amounts
        GROUP BY 1, 2
        """)
    )
    return {(row.token_chain, row.name): row.amount for row in held}
