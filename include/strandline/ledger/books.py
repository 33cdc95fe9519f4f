"""The arithmetic of the ledger: what each fill and cash event does to holdings, dust, cash and trades.

Pure, and the only place that knows it: booking one fill and rebuilding everything run through the same methods, which
is why they cannot disagree.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, TypeAlias
from uuid import UUID

from msgspec.structs import replace

from strandline.ledger.account import Account
from strandline.ledger.settlement import DOLLARS, settled
from strandline.model.exact import Amount, Money, Price, Quantity
from strandline.model.position import Holding
from strandline.model.side import Side

Pocket: TypeAlias = tuple[Account, str]
"""A token or an asset of an account."""


class Entry(NamedTuple):
    """A fill with what the ledger must know of the order behind it."""

    account: Account
    position_id: UUID
    order_id: UUID
    token: str
    side: Side
    price: Price
    quantity: Quantity
    fee: Money
    ts: datetime
    dust_below: Quantity
    closes_as: str
    finished: bool


class Trade(NamedTuple):
    """A row's way from flat to flat."""

    position_id: UUID
    trade_no: int
    opened_at: datetime
    closed_at: datetime
    invested: Money
    extracted: Money
    fees: Money
    net_pnl: Money
    close_reason: str


def cost_of(holding: Holding) -> Money:
    """What the open quantity cost: exact, where average times quantity is off by the average's last digit."""
    return holding.invested - holding.extracted + holding.realised_pnl


@dataclass
class Books:
    """As much of the ledger as is being changed."""

    holdings: dict[UUID, Holding] = field(default_factory=dict)
    dust: dict[Pocket, Quantity] = field(default_factory=dict)
    cash: dict[Pocket, Amount] = field(default_factory=dict)
    trades: dict[tuple[UUID, int], Trade] = field(default_factory=dict)
    last: dict[UUID, Entry] = field(default_factory=dict)
    """Each row's last fill: what it left is judged when its order is over, at the latest when another order fills."""

    def event(self, account: Account, asset: str, amount: Amount) -> None:
        """Cash that moved without a fill."""
        self._move(account, asset, amount)

    def fill(self, entry: Entry) -> None:
        """The next fill, in the order of booking."""
        before = self.last.get(entry.position_id)
        if before is not None and before.order_id != entry.order_id:
            self._sweep(before)
        self.last[entry.position_id] = entry
        if entry.side is Side.BUY:
            self._buy(entry)
        else:
            self._sell(entry)

    def finish(self, position_id: UUID, order_id: UUID) -> None:
        """The order's fate is known: nothing more will come of it. Telling it twice changes nothing."""
        last = self.last.get(position_id)
        if last is not None and last.order_id == order_id:
            self._sweep(last)

    def _buy(self, entry: Entry) -> None:
        holding = self._holding(entry)
        if not holding.quantity:
            holding = Holding(trade_no=holding.trade_no + 1, first_fill_at=entry.ts)
        notional = settled(entry.account.venue, entry.price, entry.quantity)
        quantity = holding.quantity + entry.quantity
        self.holdings[entry.position_id] = replace(
            _seen(holding, entry),
            quantity=quantity,
            average_entry=(cost_of(holding) + notional).per(quantity),
            invested=holding.invested + notional,
        )
        self._settle(entry, paid=-notional, realised=Money(0))

    def _sell(self, entry: Entry) -> None:
        """From the row as far as it goes. More can only be sold after a remainder was taken for dust too early."""
        holding = self._holding(entry)
        from_row = min(entry.quantity, holding.quantity)
        if from_row != entry.quantity:
            pocket = (entry.account, entry.token)
            self.dust[pocket] = self.dust.get(pocket, Quantity(0)) - (entry.quantity - from_row)
        left = holding.quantity - from_row
        proceeds = settled(entry.account.venue, entry.price, entry.quantity)
        realised = proceeds - _part(holding, from_row)
        self.holdings[entry.position_id] = replace(
            _seen(holding, entry),
            quantity=left,
            average_entry=holding.average_entry if left else None,
            extracted=holding.extracted + proceeds,
            realised_pnl=holding.realised_pnl + realised,
        )
        self._settle(entry, paid=proceeds, realised=realised)
        if not left:
            self._close(entry, entry.closes_as)

    def _sweep(self, entry: Entry) -> None:
        """What a sell left, moved to dust if it is too little; its cost is a loss, as if it had been given away."""
        holding = self._holding(entry)
        if entry.side is Side.BUY or not holding.quantity or not holding.quantity < entry.dust_below:
            return
        pocket = (entry.account, entry.token)
        cost = cost_of(holding)
        self.dust[pocket] = self.dust.get(pocket, Quantity(0)) + holding.quantity
        self.holdings[entry.position_id] = replace(
            holding, quantity=Quantity(0), average_entry=None, realised_pnl=holding.realised_pnl - cost
        )
        if entry.account.venue.margined:
            self._move(entry.account, DOLLARS, Amount(-cost.decimal))
        self._close(entry, "dust")

    def _close(self, entry: Entry, reason: str) -> None:
        holding = self._holding(entry)
        if holding.first_fill_at is None or holding.last_fill_at is None:
            raise ValueError(f"row {entry.position_id} sold what it never bought")
        self.trades[entry.position_id, holding.trade_no] = Trade(
            position_id=entry.position_id,
            trade_no=holding.trade_no,
            opened_at=holding.first_fill_at,
            closed_at=holding.last_fill_at,
            invested=holding.invested,
            extracted=holding.extracted,
            fees=holding.fees,
            net_pnl=holding.extracted - holding.invested - holding.fees,
            close_reason=reason,
        )

    def _settle(self, entry: Entry, paid: Money, realised: Money) -> None:
        """On margin only what was realised moves cash; elsewhere the whole sum does. Fees always do."""
        moved = (realised if entry.account.venue.margined else paid) - entry.fee
        self._move(entry.account, DOLLARS, Amount(moved.decimal))

    def _move(self, account: Account, asset: str, amount: Amount) -> None:
        self.cash[account, asset] = self.cash.get((account, asset), Amount(0)) + amount

    def _holding(self, entry: Entry) -> Holding:
        return self.holdings.get(entry.position_id, Holding())


def _part(holding: Holding, quantity: Quantity) -> Money:
    """What this much of the holding cost: all of it for the whole, else at the average, which a sell leaves."""
    if quantity == holding.quantity or holding.average_entry is None:
        return cost_of(holding)
    return holding.average_entry * quantity


def _seen(holding: Holding, entry: Entry) -> Holding:
    """With the fill's fee, and between the right times; a venue may tell fills out of order."""
    return replace(
        holding,
        fees=holding.fees + entry.fee,
        first_fill_at=min(holding.first_fill_at or entry.ts, entry.ts),
        last_fill_at=max(holding.last_fill_at or entry.ts, entry.ts),
    )
