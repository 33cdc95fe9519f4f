"""Money that came into the perpetuals account or left it, as Hyperliquid's ledger tells it.

A transfer is told to both its sides. What moves spot balances only, and kinds that are not known here, change nothing:
if one moved money all the same, it shows as a difference when the account is reconciled.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

from strandline.model.exact import Amount, Money
from strandline.model.fill import CashCause, CashEvent
from strandline.venues.hyperliquid.answers import FundingRow, LedgerDelta, LedgerRow
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from strandline.venues.hyperliquid.wire import instant

USDC: Final = "USDC"
_PERPS: Final = ""


def funding(address: str, row: FundingRow) -> CashEvent:
    """An hour's funding of one position; the venue gives it no hash."""
    event_id = f"funding:{address}:{row.time}:{row.delta.coin}"
    return cash_event(event_id, CashCause.FUNDING, Decimal(row.delta.usdc), row.time)


def transfer(address: str, row: LedgerRow) -> CashEvent | None:
    """A deposit or a withdrawal; None if the account has as much as before."""
    moved = _MOVES.get(row.delta.type, _nothing)(row.delta, address.lower())
    if not moved:
        return None
    cause = CashCause.DEPOSIT if moved > 0 else CashCause.WITHDRAWAL
    return cash_event(f"ledger:{address}:{row.time}:{row.hash}:{row.delta.type}", cause, moved, row.time)


def cash_event(event_id: str, cause: CashCause, usdc: Decimal, time: int) -> CashEvent:
    """All cash here is USDC."""
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


def _came(delta: LedgerDelta, _: str) -> Decimal:
    return Decimal(delta.usdc)


def _went(delta: LedgerDelta, _: str) -> Decimal:
    return -Decimal(delta.usdc) - Decimal(delta.fee)


def _between_accounts(delta: LedgerDelta, address: str) -> Decimal:
    moved = Decimal(0)
    if delta.user.lower() == address:
        moved += _went(delta, address)
    if delta.destination.lower() == address:
        moved += _came(delta, address)
    return moved


def _between_classes(delta: LedgerDelta, _: str) -> Decimal:
    return Decimal(delta.usdc) if delta.to_perp else -Decimal(delta.usdc)


def _sent(delta: LedgerDelta, address: str) -> Decimal:
    """From any of somebody's balances to any of somebody's; each has its fee taken from where it came."""
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
    "deposit": _came,
    "withdraw": _went,
    "internalTransfer": _between_accounts,
    "subAccountTransfer": _between_accounts,
    "accountClassTransfer": _between_classes,
    "send": _sent,
    "vaultCreate": _went,
    "vaultDeposit": _went,
    "vaultWithdraw": _out_of_vault,
    "vaultDistribution": _came,
    "vaultLeaderCommission": _came,
}
