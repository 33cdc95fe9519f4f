"""The arithmetic of fills conserves units and dollars to the last digit."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from strandline.ledger.account import Account
from strandline.ledger.books import Books, FillEntry
from strandline.ledger.settlement import DOLLARS, settled
from strandline.model.exact import Amount, Money, Price, Quantity
from strandline.model.side import Side
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS

START = datetime(2026, 3, 2, tzinfo=UTC)
ROWS = (UUID(int=1), UUID(int=2))
TOKEN = "BTC"

quantities = st.decimals("0.001", "50", places=3)
prices = st.decimals("0.001", "90000", places=4)


class Step(NamedTuple):
    """A fill to apply; a sell is limited to what the row holds."""

    row: int
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    order: int
    ends: bool


steps = st.builds(
    Step,
    row=st.integers(0, 1),
    side=st.sampled_from(Side),
    quantity=quantities,
    price=prices,
    fee=st.decimals("-1", "5", places=6),
    order=st.integers(0, 2),
    ends=st.booleans(),
)


class SummedBooks:
    """Books, and plain sums of all fills that were posted to them."""

    def __init__(self, *, margined: bool, dust_below: str = "0.5") -> None:
        self.account = Account(HYPERLIQUID_PERPS, "0xabc")
        self.margined = margined
        self.books = Books()
        self.dust_below = Quantity(dust_below)
        self.bought = self.sold = self.fees = self.units = Decimal(0)
        self.count = 0

    def post(self, step: Step) -> None:
        """Post the fill; a sell, as far as the row holds the quantity."""
        row = ROWS[step.row]
        held = self.books.holdings[row].quantity if row in self.books.holdings else Quantity(0)
        quantity = Quantity(step.quantity) if step.side is Side.BUY else min(Quantity(step.quantity), held)
        if not quantity:
            return
        self.count += 1
        entry = FillEntry(
            account=self.account,
            margined=self.margined,
            position_id=row,
            order_id=UUID(int=100 * step.row + 10 * (step.side is Side.BUY) + step.order),
            token_contract=TOKEN,
            side=step.side,
            price=Price(step.price),
            quantity=quantity,
            fee=Money(step.fee),
            ts=START + timedelta(seconds=self.count),
            dust_below=self.dust_below,
            closes_as="demote",
            finished=True,
        )
        moved = settled(entry.price, quantity, margined=self.margined).decimal
        sign = 1 if step.side is Side.BUY else -1
        self.units += sign * quantity.decimal
        self.fees += step.fee
        self.bought += moved if sign > 0 else 0
        self.sold += moved if sign < 0 else 0
        self.books.post_fill(entry)
        if step.ends:
            self.books.end_order(row, entry.order_id)

    @property
    def cash(self) -> Decimal:
        """The dollars in the books."""
        return self.books.cash.get((self.account, DOLLARS), Amount(0)).decimal

    @property
    def cost(self) -> Decimal:
        """The cost of all holdings."""
        return sum((holding.cost.decimal for holding in self.books.holdings.values()), Decimal(0))


@given(st.booleans(), st.lists(steps, max_size=25))
def test_units_and_dollars_are_conserved(margined: bool, sequence: list[Step]) -> None:
    summed = SummedBooks(margined=margined)
    for step in sequence:
        summed.post(step)
        held = sum((holding.quantity.decimal for holding in summed.books.holdings.values()), Decimal(0))
        dust = sum((quantity.decimal for quantity in summed.books.dust.values()), Decimal(0))
        assert held + dust == summed.units
        assert summed.cash - (summed.cost if margined else 0) == summed.sold - summed.bought - summed.fees


@given(st.booleans(), st.lists(steps, max_size=25))
def test_the_average_lies_between_the_prices_paid_and_a_sell_leaves_it(margined: bool, sequence: list[Step]) -> None:
    summed = SummedBooks(margined=margined)
    for step in sequence:
        before = summed.books.holdings.get(ROWS[step.row])
        summed.post(step)
        after = summed.books.holdings.get(ROWS[step.row])
        if before is None or after is None or before.average_entry is None or after.average_entry is None:
            continue
        if step.side is Side.SELL:
            assert after.average_entry == before.average_entry
        elif after.trade_no == before.trade_no:
            # Cash moves in millionths of a dollar, an average is cut at its eighteenth decimal.
            slack = Decimal("0.000001") / Decimal("0.001")
            low, high = sorted([before.average_entry.decimal, step.price])
            assert low - slack <= after.average_entry.decimal <= high + slack


@given(st.lists(steps, max_size=25))
def test_a_closed_trade_has_its_profit(sequence: list[Step]) -> None:
    summed = SummedBooks(margined=True)
    for step in sequence:
        summed.post(step)
    for holding in summed.books.holdings.values():
        assert bool(holding.quantity) == bool(holding.cost)
    for (row, number), trade in summed.books.trades.items():
        assert (trade.position_id, trade.trade_no) == (row, number)
        assert trade.opened_at <= trade.closed_at
        assert trade.net_pnl == trade.extracted - trade.invested - trade.fees
    numbers = {row: [no for of, no in summed.books.trades if of == row] for row in ROWS}
    assert all(found == list(range(1, len(found) + 1)) for found in numbers.values()), "a trade was not counted"


def _fill(summed: SummedBooks, side: Side, quantity: str, price: str, *, order: int = 0, ends: bool = True) -> None:
    summed.post(Step(0, side, Decimal(quantity), Decimal(price), Decimal(0), order, ends))


def test_a_sell_that_leaves_too_little_closes_the_trade_as_dust() -> None:
    summed = SummedBooks(margined=False)
    _fill(summed, Side.BUY, "10", "100")
    _fill(summed, Side.SELL, "9.4", "110", ends=False)
    _fill(summed, Side.SELL, "0.2", "110", ends=False)
    assert summed.books.holdings[ROWS[0]].quantity == Quantity("0.4"), "the order was not over yet"
    summed.books.end_order(ROWS[0], summed.books.last_fill[ROWS[0]].order_id)
    assert summed.books.dust == {(summed.account, TOKEN): Quantity("0.4")}
    (trade,) = summed.books.trades.values()
    assert (trade.close_reason, trade.net_pnl) == ("dust", Money("56"))
    assert summed.cash == 56, "what is left was paid for when it was bought"
    assert not summed.books.holdings[ROWS[0]].quantity


def test_a_small_buy_and_a_large_remainder_are_no_dust() -> None:
    summed = SummedBooks(margined=True)
    _fill(summed, Side.BUY, "0.3", "100")
    assert summed.books.dust == {}
    _fill(summed, Side.BUY, "2", "100", order=1)
    _fill(summed, Side.SELL, "1.8", "100")
    assert summed.books.holdings[ROWS[0]].quantity == Quantity("0.5")
    assert summed.books.trades == {}


def test_dust_that_was_booked_too_early_can_still_be_sold() -> None:
    """A sell in doubt has sold most; the row buys again; then the rest of that sell becomes known."""
    summed = SummedBooks(margined=True)
    _fill(summed, Side.BUY, "10", "100")
    _fill(summed, Side.SELL, "9.8", "100", ends=False)
    _fill(summed, Side.BUY, "0.05", "100", order=1)
    assert summed.books.dust == {(summed.account, TOKEN): Quantity("0.2")}
    sell = replace(
        summed.books.last_fill[ROWS[0]],
        order_id=UUID(int=0),
        side=Side.SELL,
        quantity=Quantity("0.2"),
        ts=START + timedelta(hours=1),
    )
    summed.books.post_fill(sell)
    assert summed.books.dust == {(summed.account, TOKEN): Quantity("0.05")}
    assert not summed.books.holdings[ROWS[0]].quantity
    assert summed.cash == -1000 + 980 - 5 + 20


def test_cash_is_paid_in_millionths_and_margin_is_exact() -> None:
    price, quantity = Price("0.123456789"), Quantity("3.333")
    assert settled(price, quantity, margined=False) == Money("0.411481")
    assert settled(price, quantity, margined=True) == Money("0.411481477737")
    assert settled(Price("0.0000016"), Quantity(1), margined=False) == Money("0.000002"), "rounded, not cut"
