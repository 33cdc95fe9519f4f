"""Valuation, free cash, and the equity that the breakers compare."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import text

from strandline.ledger.cash import free_cash
from strandline.ledger.equity import Equity, measure, record, value
from strandline.ledger.trades import losing_streak
from strandline.model.breaker import Breaker
from strandline.model.exact import Money, Price
from strandline.model.mark import Mark
from strandline.model.position import PositionKey
from strandline.model.timeframe import Timeframe
from strandline.model.venue import VenueKey
from strandline.store.roles import Role
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from strandline.venues.solana.key import SOLANA_ONCHAIN
from tests.conftest import Database
from tests.store.rows import insert

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)


class Portfolio:
    """Perps with a holding of 2 for 200 and dust of 0.1; Solana with a holding of 5 for 100, and SOL."""

    def __init__(
        self, database: Database, margined: VenueKey = HYPERLIQUID_PERPS, spot: VenueKey = SOLANA_ONCHAIN
    ) -> None:
        self.database = database
        self.rows = {
            venue: PositionKey(venue=venue, token_contract="BTC", timeframe=Timeframe.H1).position_id
            for venue in (margined, spot)
        }
        with database.session() as connection:
            for venue, row in self.rows.items():
                insert(connection, "instruments", **_key(venue), token_contract="BTC")
                insert(connection, "positions", **_key(venue), position_id=row)
                insert(connection, "venue_accounts", **_account(venue), margined=venue == margined)
            self._cash(connection, margined, USDC=1000)
            self._cash(connection, spot, USDC=500, SOL=2)
            self._hold(connection, margined, quantity=2, average_entry=100, invested=200)
            self._hold(connection, spot, quantity=5, average_entry=20, invested=100)
            insert(connection, "dust", **_account(margined), token_contract="BTC", quantity="0.1")

    def record(self, cycle: datetime, price: str = "110", breakers: tuple[Breaker, ...] | None = None) -> Equity:
        """Measure and record the equity of a cycle, with both tokens at this price; no price leaves both unpriced."""
        with self.database.session(Role.APP) as connection:
            exists = text("SELECT EXISTS (SELECT FROM cycles WHERE cycle_t = :cycle)")
            if not connection.scalar(exists, {"cycle": cycle}):
                insert(connection, "cycles", cycle_t=cycle)
            equity = measure(connection, cycle, value(connection, marks(price) if price else {}, {"SOL": mark("150")}))
            record(connection, replace(equity, breakers=breakers) if breakers is not None else equity)
            return equity

    def reset(self, at: datetime = NOW) -> None:
        """Order a reset of the breakers."""
        with self.database.session() as connection:
            insert(connection, "controls", control="reset", given_at=at)

    def move(self, name: str, cause: str, dollars: int) -> None:
        """Book a cash event."""
        with self.database.session() as connection:
            insert(
                connection,
                "cash_events",
                **_account(HYPERLIQUID_PERPS),
                venue_event_id=name,
                cause=cause,
                usd=dollars,
                amount=dollars,
            )
            connection.execute(
                text("UPDATE cash SET amount = amount + :by WHERE book_id = 'perps' AND asset = 'USDC'"),
                {"by": dollars},
            )

    def close_trades(self, *results: int) -> None:
        """Insert closed trades with these results, one after the other."""
        with self.database.session() as connection:
            for number, net in enumerate(results, start=1):
                at = NOW + timedelta(minutes=number)
                row = self.rows[HYPERLIQUID_PERPS]
                insert(connection, "trades", position_id=row, trade_no=number, opened_at=at, closed_at=at, net_pnl=net)

    @staticmethod
    def _cash(connection: Any, venue: VenueKey, **amounts: int) -> None:
        for asset, amount in amounts.items():
            insert(connection, "cash", **_account(venue), asset=asset, amount=amount)

    def _hold(self, connection: Any, venue: VenueKey, **holding: int) -> None:
        insert(connection, "holdings", position_id=self.rows[venue], fees=1, **holding)


def _key(venue: VenueKey) -> dict[str, str]:
    return {"token_chain": venue.token_chain, "book_id": venue.book_id}


def _account(venue: VenueKey) -> dict[str, str]:
    return {**_key(venue), "address": "a"}


def mark(price: str, age: int = 0) -> Mark:
    """A price of so many seconds ago."""
    return Mark(price=Price(price), source="mark", observed_at=NOW - timedelta(seconds=age))


def marks(price: str) -> dict[int, Mark]:
    """Marks of both instruments."""
    return {1: mark(price, age=7), 2: mark(price, age=3)}


@pytest.fixture
def portfolio(database: Database) -> Portfolio:
    """A portfolio in a database of its own."""
    return Portfolio(database)


def test_a_margined_holding_adds_its_unrealised_profit_and_a_paid_one_its_value(portfolio: Portfolio) -> None:
    with portfolio.database.session(Role.UI) as connection:
        worth = value(connection, marks("110"), {"SOL": mark("150", age=60)})
    cash = 1000 + 500 + 2 * 150
    assert worth.cash == Money(cash)
    assert worth.equity == Money(Decimal(cash + (2 * 110 - 200) + 11 + 5 * 110))
    assert worth.oldest_mark_at == NOW - timedelta(seconds=60)
    assert worth.unpriced == ()


def test_the_name_of_a_book_does_not_say_how_it_settles(database: Database) -> None:
    futures, perps = VenueKey.parse("exchange/futures"), VenueKey.parse("exchange/perps")
    portfolio = Portfolio(database, margined=futures, spot=perps)
    with portfolio.database.session(Role.UI) as connection:
        assert value(connection, marks("110"), {"SOL": mark("150")}).equity == Money(1800 + 20 + 11 + 550)
        assert free_cash(connection) == {futures: Money(800), perps: Money(500)}


def test_an_unpriced_holding_counts_at_cost_and_other_unpriced_assets_as_nothing(portfolio: Portfolio) -> None:
    with portfolio.database.session(Role.UI) as connection:
        worth = value(connection, {1: mark("110")}, {})
    assert worth.unpriced == ("SOL", "solana/onchain_crypto/BTC")
    assert worth.equity == Money(1000 + 500 + (2 * 110 - 200) + 11 + 100)


def test_a_total_is_exact(portfolio: Portfolio) -> None:
    with portfolio.database.session() as connection:
        for asset, amount in (("USDC", "9007199254740993.000001"), ("SOL", "0.1")):
            connection.execute(
                text("UPDATE cash SET amount = :amount WHERE asset = :asset"), {"asset": asset, "amount": amount}
            )
        worth = value(connection, marks("110.1"), {"SOL": mark("0.3")})
    assert worth.cash == Money("18014398509481986.000002") + Money("0.03")
    assert worth.equity == worth.cash + Money("20.2") + Money("11.01") + Money("550.5")


def test_free_cash_counts_open_margin_as_spent(portfolio: Portfolio) -> None:
    with portfolio.database.session(Role.UI) as connection:
        assert free_cash(connection) == {HYPERLIQUID_PERPS: Money(800), SOLANA_ONCHAIN: Money(500)}


def test_the_day_starts_at_the_first_cycle_of_the_utc_day_and_the_peak_stays(portfolio: Portfolio) -> None:
    first = portfolio.record(NOW)
    assert first.day_start == first.peak == first.equity
    lower = portfolio.record(NOW + timedelta(minutes=5), "90")
    assert (lower.day_start, lower.peak) == (first.equity, first.equity)
    midnight = NOW.replace(hour=0) + timedelta(days=1)
    tomorrow = portfolio.record(midnight, "95")
    assert (tomorrow.day_start, tomorrow.peak) == (tomorrow.equity, first.equity)
    higher = portfolio.record(midnight + timedelta(minutes=5), "200")
    assert (higher.day_start, higher.peak) == (tomorrow.equity, higher.equity)


def test_deposits_and_withdrawals_move_day_start_and_peak_but_funding_does_not(portfolio: Portfolio) -> None:
    first = portfolio.record(NOW)
    portfolio.move("d", "deposit", 300)
    portfolio.move("w", "withdrawal", -1000)
    portfolio.move("f", "funding", -5)
    second = portfolio.record(NOW + timedelta(minutes=5))
    assert second.equity == first.equity - Money(705)
    assert second.day_start == second.peak == first.equity - Money(700)
    third = portfolio.record(NOW + timedelta(minutes=10))
    assert (third.day_start, third.peak) == (second.day_start, second.peak), "a deposit counts once"


def test_a_cycle_that_is_recorded_again_replaces_its_row(portfolio: Portfolio) -> None:
    portfolio.record(NOW)
    portfolio.record(NOW + timedelta(minutes=5), "300")
    again = portfolio.record(NOW + timedelta(minutes=5), "90")
    with portfolio.database.session() as connection:
        rows = connection.execute(text("SELECT * FROM equity ORDER BY cycle_t")).all()
    assert len(rows) == 2
    assert Money(rows[1].peak) == again.peak == portfolio.record(NOW).equity


def test_an_equity_that_is_not_known_is_neither_the_days_start_nor_a_peak(portfolio: Portfolio) -> None:
    first = portfolio.record(NOW, "")
    assert (first.known, first.day_start, first.peak) == (False, None, None)
    second = portfolio.record(NOW + timedelta(minutes=5), "10")
    assert second.known
    assert second.day_start == second.peak == second.equity
    dearer_than_known = portfolio.record(NOW + timedelta(minutes=10), "")
    assert dearer_than_known.equity > second.equity
    assert (dearer_than_known.day_start, dearer_than_known.peak) == (second.equity, second.equity)
    midnight = NOW.replace(hour=0) + timedelta(days=1)
    assert portfolio.record(midnight, "").day_start is None
    late = portfolio.record(midnight + timedelta(minutes=5), "9")
    assert (late.day_start, late.peak) == (late.equity, second.equity)


def test_a_daily_loss_ends_at_midnight_and_the_others_do_not(portfolio: Portfolio) -> None:
    portfolio.record(NOW.replace(hour=23, minute=50), breakers=tuple(Breaker))
    assert portfolio.record(NOW.replace(hour=23, minute=55), breakers=tuple(Breaker)).breakers == tuple(Breaker)
    midnight = NOW.replace(hour=0) + timedelta(days=1)
    left = (Breaker.DRAWDOWN, Breaker.LOSING_STREAK)
    assert portfolio.record(midnight).breakers == left


def test_a_reset_makes_the_equity_the_peak_and_counts_losses_from_then_on(portfolio: Portfolio) -> None:
    portfolio.close_trades(-1, -1, -1, -1, -1)
    high = portfolio.record(NOW + timedelta(minutes=10), "500", breakers=tuple(Breaker))
    assert high.losing_streak == 5
    portfolio.reset(NOW + timedelta(minutes=3))
    after = portfolio.record(NOW + timedelta(minutes=15), "100", breakers=())
    assert (after.peak, after.day_start, after.losing_streak) == (after.equity, high.equity, 2)
    assert after.breakers == (Breaker.DAILY_LOSS,)
    later = portfolio.record(NOW + timedelta(minutes=20), "90", breakers=(Breaker.DRAWDOWN,))
    assert later.peak == after.equity
    assert (later.reset_no, later.losing_streak) == (after.reset_no, 2)
    assert portfolio.record(NOW + timedelta(minutes=25), "90").breakers == (Breaker.DRAWDOWN,), "a reset counts once"


def test_a_reset_waits_for_a_known_equity(portfolio: Portfolio) -> None:
    portfolio.close_trades(-1, -1)
    high = portfolio.record(NOW + timedelta(minutes=10), "500", breakers=(Breaker.DRAWDOWN,))
    portfolio.reset(NOW + timedelta(minutes=11))
    unknown = portfolio.record(NOW + timedelta(minutes=15), "", breakers=(Breaker.DRAWDOWN,))
    assert (unknown.peak, unknown.breakers, unknown.losing_streak) == (high.equity, (Breaker.DRAWDOWN,), 2)
    known = portfolio.record(NOW + timedelta(minutes=20), "100")
    assert (known.peak, known.breakers, known.losing_streak) == (known.equity, (), 0)


def test_a_cycle_that_was_voided_leaves_no_trace(portfolio: Portfolio) -> None:
    """Neither its breakers nor its reset: the next one counts from the cycle before it."""
    first = portfolio.record(NOW, breakers=(Breaker.DRAWDOWN,))
    portfolio.reset()
    portfolio.record(NOW + timedelta(minutes=5), "300", breakers=())
    with portfolio.database.session() as connection:
        connection.execute(text("UPDATE cycles SET outcome = 'voided' WHERE cycle_t > :t"), {"t": NOW})
    again = portfolio.record(NOW + timedelta(minutes=10))
    assert again.peak == again.equity == first.equity
    assert again.breakers == ()


@pytest.mark.parametrize(
    ("results", "streak"), [((), 0), ((-1, -1), 2), ((-1, 5, -1, -1, -1), 3), ((-1, -1, 0), 0), ((-1, 3), 0)]
)
def test_the_losing_streak_is_counted_back_from_the_last_trade(
    portfolio: Portfolio, results: tuple[int, ...], streak: int
) -> None:
    portfolio.close_trades(*results)
    with portfolio.database.session(Role.UI) as connection:
        assert losing_streak(connection) == streak
