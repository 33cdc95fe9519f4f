"""Deposits, withdrawals, transfers and funding of the perpetuals account, from Hyperliquid's ledger.

A transfer is listed for both accounts. Entries that move spot balances only, and unknown kinds of entries, count as
nothing: if one did move money, reconciliation reports the difference.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

from strandline.model.exact import Amount, Money
from strandline.model.fill import CashCause, CashEvent
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from strandline.venues.hyperliquid.responses import FundingRow, LedgerDelta, LedgerRow
from strandline.venues.hyperliquid.wire import instant

USDC: Final = "USDC"
_PERPS: Final = ""


def funding(address: str, row: FundingRow) -> CashEvent:
    """Convert an hour's funding of one position; the venue gives it no hash, so the id is made of hour and coin."""
    event_id = f"funding:{address}:{row.time}:{row.delta.coin}"
    return cash_event(event_id, CashCause.FUNDING, Decimal(row.delta.usdc), row.time)


def transfer(address: str, row: LedgerRow) -> CashEvent | None:
    """Convert a ledger row to a deposit or a withdrawal; None if it does not change the account's cash."""
    moved = _MOVES.get(row.delta.type, _nothing)(row.delta, address.lower())
    if not moved:
        return None
    cause = CashCause.DEPOSIT if moved > 0 else CashCause.WITHDRAWAL
    return cash_event(f"ledger:{address}:{row.time}:{row.hash}:{row.delta.type}", cause, moved, row.time)


def cash_event(event_id: str, cause: CashCause, usdc: Decimal, time: int) -> CashEvent:
    """Make an event in USDC, the only cash of the account."""
    return CashEvent(
        venue=HYPERLIQUID_PERPS,
        venue_event_id=event_id,
        cause=cause,
        asset=USDC,
        amount=Amount(usdc),
        usd=Money(usdc),
        ts=instant(time),
    )


def _nothing(_: LedgerDelta, __: str) -> Decimal:
    return Decimal(0)


def _incoming(delta: LedgerDelta, _: str) -> Decimal:
    return Decimal(delta.usdc)


def _outgoing(delta: LedgerDelta, _: str) -> Decimal:
    return -Decimal(delta.usdc) - Decimal(delta.fee)


def _between_accounts(delta: LedgerDelta, address: str) -> Decimal:
    moved = Decimal(0)
    if delta.user.lower() == address:
        moved += _outgoing(delta, address)
    if delta.destination.lower() == address:
        moved += _incoming(delta, address)
    return moved


def _between_classes(delta: LedgerDelta, _: str) -> Decimal:
    return Decimal(delta.usdc) if delta.to_perp else -Decimal(delta.usdc)


def _send(delta: LedgerDelta, address: str) -> Decimal:
    """A `send` moves between any two balances of any two accounts; its fee is taken from the source."""
    if delta.token != USDC:
        return Decimal(0)
    moved = Decimal(0)
    if delta.user.lower() == address and delta.source_dex == _PERPS:
        moved -= Decimal(delta.amount) + (Decimal(delta.fee) if delta.fee_token == USDC else 0)
    if delta.destination.lower() == address and delta.destination_dex == _PERPS:
        moved += Decimal(delta.amount)
    return moved


def _out_of_vault(delta: LedgerDelta, address: str) -> Decimal:
    return Decimal(delta.net_withdrawn_usd) if delta.user.lower() == address else Decimal(0)


_MOVES: Final[Mapping[str, Callable[[LedgerDelta, str], Decimal]]] = {
    "deposit": _incoming,
    "withdraw": _outgoing,
    "internalTransfer": _between_accounts,
    "subAccountTransfer": _between_accounts,
    "accountClassTransfer": _between_classes,
    "send": _send,
    "vaultCreate": _outgoing,
    "vaultDeposit": _outgoing,
    "vaultWithdraw": _out_of_vault,
    "vaultDistribution": _incoming,
    "vaultLeaderCommission": _incoming,
}
