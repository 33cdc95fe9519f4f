"""The arithmetic of the ledger: applies fills and cash events to holdings, dust, cash and trades.

It reads and writes no table. Posting one fill and rebuilding the whole ledger use the same methods.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from msgspec.structs import replace

from strandline.ledger.account import Account
from strandline.ledger.settlement import DOLLARS, settled
from strandline.model.exact import Amount, Money, Price, Quantity
from strandline.model.position import Holding
from strandline.model.record import Record
from strandline.model.side import Side

AssetKey: TypeAlias = tuple[Account, str]
"""An account, and the name of an asset or a token."""


class FillEntry(Record, frozen=True, kw_only=True):
    """A fill with the fields of its order that the ledger needs.

    `margined` says how the venue settles, `dust_below` is the smallest quantity that can be sold, `closes_as` the close
    reason of a trade that this fill closes, and `finished` whether the order's status is final.
    """

    account: Account
    margined: bool
    position_id: UUID
    order_id: UUID
    token_contract: str
    side: Side
    price: Price
    quantity: Quantity
    fee: Money
    ts: datetime
    dust_below: Quantity
    closes_as: str
    finished: bool


class CashEntry(Record, frozen=True, kw_only=True):
    """A cash event: cash that moved without a fill."""

    account: Account
    asset: str
    amount: Amount


class Trade(Record, frozen=True, kw_only=True):
    """A closed trade of a position row: from its first buy until the row was flat again."""

    position_id: UUID
    trade_no: int
    opened_at: datetime
    closed_at: datetime
    invested: Money
    extracted: Money
    fees: Money
    net_pnl: Money
    close_reason: str


@dataclass
class Books:
    """The balances that are loaded and changed together."""

    holdings: dict[UUID, Holding] = field(default_factory=dict)
    dust: dict[AssetKey, Quantity] = field(default_factory=dict)
    cash: dict[AssetKey, Amount] = field(default_factory=dict)
    trades: dict[tuple[UUID, int], Trade] = field(default_factory=dict)
    last_fill: dict[UUID, FillEntry] = field(default_factory=dict)
    """By row, the newest fill. When its order ends or another one fills, a remainder too small to sell becomes dust."""

    def post_cash(self, entry: CashEntry) -> None:
        """Post the next cash event."""
        self._add_cash(entry.account, entry.asset, entry.amount)

    def post_fill(self, entry: FillEntry) -> None:
        """Post the next fill, in the order of booking."""
        before = self.last_fill.get(entry.position_id)
        if before is not None and before.order_id != entry.order_id:
            self._move_remainder_to_dust(before)
        self.last_fill[entry.position_id] = entry
        if entry.side is Side.BUY:
            self._buy(entry)
        else:
            self._sell(entry)

    def end_order(self, position_id: UUID, order_id: UUID) -> None:
        """Post that the order has ended and expects no more fills. Posting it twice changes nothing."""
        last = self.last_fill.get(position_id)
        if last is not None and last.order_id == order_id:
            self._move_remainder_to_dust(last)

    def _buy(self, entry: FillEntry) -> None:
        holding = self._holding(entry)
        if not holding.quantity:
            holding = Holding(trade_no=holding.trade_no + 1, first_fill_at=entry.ts)
        notional = settled(entry.price, entry.quantity, margined=entry.margined)
        quantity = holding.quantity + entry.quantity
        self.holdings[entry.position_id] = replace(
            _with_fill(holding, entry),
            quantity=quantity,
            average_entry=(holding.cost + notional).per(quantity),
            invested=holding.invested + notional,
        )
        self._settle(entry, paid=-notional, realised=Money(0))

    def _sell(self, entry: FillEntry) -> None:
        """Sell from the row, and the rest from dust: a remainder may become dust before its order's last fill."""
        holding = self._holding(entry)
        from_row = min(entry.quantity, holding.quantity)
        if from_row != entry.quantity:
            asset = (entry.account, entry.token_contract)
            self.dust[asset] = self.dust.get(asset, Quantity(0)) - (entry.quantity - from_row)
        left = holding.quantity - from_row
        proceeds = settled(entry.price, entry.quantity, margined=entry.margined)
        realised = proceeds - _cost_of_part(holding, from_row)
        self.holdings[entry.position_id] = replace(
            _with_fill(holding, entry),
            quantity=left,
            average_entry=holding.average_entry if left else None,
            extracted=holding.extracted + proceeds,
            realised_pnl=holding.realised_pnl + realised,
        )
        self._settle(entry, paid=proceeds, realised=realised)
        if not left:
            self._close(entry, entry.closes_as)

    def _move_remainder_to_dust(self, entry: FillEntry) -> None:
        """Move what a sell left to dust if it is too little to be sold, and realise its cost as a loss."""
        holding = self._holding(entry)
        if entry.side is Side.BUY or not holding.quantity or not holding.quantity < entry.dust_below:
            return
        asset = (entry.account, entry.token_contract)
        cost = holding.cost
        self.dust[asset] = self.dust.get(asset, Quantity(0)) + holding.quantity
        self.holdings[entry.position_id] = replace(
            holding, quantity=Quantity(0), average_entry=None, realised_pnl=holding.realised_pnl - cost
        )
        if entry.margined:
            self._add_cash(entry.account, DOLLARS, Amount(-cost.decimal))
        self._close(entry, "dust")

    def _close(self, entry: FillEntry, reason: str) -> None:
        holding = self._holding(entry)
        if holding.first_fill_at is None or holding.last_fill_at is None:
            raise ValueError(f"row {entry.position_id} closes a trade that has no fill")
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

    def _settle(self, entry: FillEntry, paid: Money, realised: Money) -> None:
        """Book the cash of a fill: the realised profit on margin, the whole sum elsewhere, and always the fee."""
        moved = (realised if entry.margined else paid) - entry.fee
        self._add_cash(entry.account, DOLLARS, Amount(moved.decimal))

    def _add_cash(self, account: Account, asset: str, amount: Amount) -> None:
        self.cash[account, asset] = self.cash.get((account, asset), Amount(0)) + amount

    def _holding(self, entry: FillEntry) -> Holding:
        return self.holdings.get(entry.position_id, Holding())


def _cost_of_part(holding: Holding, quantity: Quantity) -> Money:
    """The cost of this quantity: all of the cost if it is all that is held, otherwise quantity times average entry."""
    if quantity == holding.quantity or holding.average_entry is None:
        return holding.cost
    return holding.average_entry * quantity


def _with_fill(holding: Holding, entry: FillEntry) -> Holding:
    """Add the fill's fee and widen the holding's times; a venue may report fills out of order."""
    return replace(
        holding,
        fees=holding.fees + entry.fee,
        first_fill_at=min(holding.first_fill_at or entry.ts, entry.ts),
        last_fill_at=max(holding.last_fill_at or entry.ts, entry.ts),
    )
