"""The book is around the last price, on the grid, best prices first; mark, oracle and funding are near it."""

from decimal import Decimal

from hypothesis import given

from strandline_sim.market.book import Level
from strandline_sim.market.market import Market
from strandline_sim.market.regime import Leg, Regime
from strandline_sim.market.spec import perp
from tests.strandline_sim.market import sample_markets
from tests.strandline_sim.market.sample_markets import DAY, HOUR, MARKET, START, is_on_grid


@given(sample_markets.symbols, sample_markets.instants)
def test_the_book_is_around_the_last_price(symbol: str, now: int) -> None:
    spec = MARKET.symbols[symbol]
    book = MARKET.book(symbol, now, 20)
    assert book == sample_markets.fresh_market().book(symbol, now, 20)
    assert len(book.bids) == len(book.asks) == 20
    bids, asks = [level.price for level in book.bids], [level.price for level in book.asks]
    assert bids == sorted(set(bids), reverse=True)
    assert asks == sorted(set(asks))
    assert bids[0] <= MARKET.price(symbol, now) <= asks[0]
    assert asks[0] > bids[0]
    assert MARKET.mid(symbol, now) == (bids[0] + asks[0]) / 2
    for level in (*book.bids, *book.asks):
        assert is_on_grid(spec, level.price)
        assert level.size >= Decimal(1).scaleb(-spec.size_decimals)
        assert level.size == round(level.size, spec.size_decimals)
        assert level.orders >= 1


@given(sample_markets.symbols, sample_markets.instants)
def test_the_depth_is_behind_the_book(symbol: str, now: int) -> None:
    spec = MARKET.symbols[symbol]
    book, depth = MARKET.book(symbol, now), MARKET.depth(symbol, now)
    assert depth == sample_markets.fresh_market().depth(symbol, now)
    for fine, behind, sign in ((book.bids, depth.bids, -1), (book.asks, depth.asks, 1)):
        distances = [sign * level.price for level in (*fine, *behind)]
        assert distances == sorted(set(distances))
        assert len(behind) == 60
        for level in behind:
            assert is_on_grid(spec, level.price)
            assert level.size >= Decimal(1).scaleb(-spec.size_decimals)
            assert level.size == round(level.size, spec.size_decimals)
            assert 1 <= level.orders <= 8
    within = sum(
        level.price * level.size for level in (*book.bids, *depth.bids) if level.price > book.bids[0].price / 2
    )
    assert 2 * spec.liquidity < within < 8 * spec.liquidity


@given(sample_markets.symbols, sample_markets.instants)
def test_open_interest_varies_slowly(symbol: str, now: int) -> None:
    spec = MARKET.symbols[symbol]
    found = MARKET.open_interest(symbol, now)
    assert found == sample_markets.fresh_market().open_interest(symbol, now)
    assert found == round(found, spec.size_decimals)
    share = found * spec.start_price.decimal / Decimal(20 * spec.liquidity)
    assert Decimal("0.79") < share < Decimal("1.21")
    minute = MARKET.open_interest(symbol, now + 60_000)
    assert abs(minute / found - 1) < Decimal("0.01")
    assert len({MARKET.open_interest(symbol, now + hour * HOUR) for hour in range(5)}) == 5


def test_bid_and_ask_are_a_step_apart_without_a_spread() -> None:
    market = Market(1, [perp("SOL", "150", 2, spread_bps=0.0)])
    for second in range(20):
        now = START + second * 1000
        step = market.symbols["SOL"].grid.step(int(market.price("SOL", now) * 10**4))
        book = market.book("SOL", now, 1)
        assert book.asks[0].price - book.bids[0].price == Decimal(step).scaleb(-4)


def test_a_deeper_market_has_more_in_its_book() -> None:
    def dollars(levels: list[Level], mid: Decimal) -> float:
        return float(sum(level.price * level.size for level in levels if abs(level.price / mid - 1) < Decimal("0.01")))

    for liquidity in (100_000.0, 10_000_000.0):
        market = Market(1, [perp("SOL", "150", 2, liquidity=liquidity)])
        found = dollars(market.book("SOL", START, 1000).bids, market.mid("SOL", START))
        assert 0.5 * liquidity < found < 2 * liquidity


@given(sample_markets.symbols, sample_markets.instants)
def test_mark_and_oracle_are_on_the_grid_near_the_last_price(symbol: str, now: int) -> None:
    spec = MARKET.symbols[symbol]
    for price in (MARKET.mark(symbol, now), MARKET.oracle(symbol, now)):
        assert is_on_grid(spec, price)
        assert abs(price / MARKET.price(symbol, now) - 1) < Decimal("0.01")
    assert abs(MARKET.premium(symbol, now)) <= Decimal("0.003")


def test_longs_pay_in_a_rally_and_shorts_in_a_decline() -> None:
    for regime, drift, pays in ((Regime.TREND_UP, 0.6, 1), (Regime.TREND_DOWN, -0.5, -1)):
        legs = [Leg(regime=regime, start_ms=START, end_ms=START + 2 * DAY, drift=drift)]
        market = Market(2, [sample_markets.SOL], {"SOL": legs})
        rates = [market.funding_rate("SOL", START + hour * HOUR) for hour in range(6, 48)]
        assert sum(rates) * pays > 0
        assert all(abs(rate) < Decimal("0.001") for rate in rates)


def test_funding_of_a_quiet_hour_is_the_interest() -> None:
    legs = [Leg(regime=Regime.QUIET, start_ms=START, end_ms=START + 2 * DAY)]
    market = Market(2, [sample_markets.SOL], {"SOL": legs})
    assert market.funding_rate("SOL", START + DAY) == Decimal("0.0000125")
