"""Jupiter's prices as ticks, from the simulated Jupiter and from any bytes."""

import asyncio
import json
import math
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.model.instants import microseconds
from strandline.venues.feed import FeedError
from strandline.venues.limits import FeedLimits, RateLimit
from strandline.venues.solana import feed as feed_module
from strandline.venues.solana.feed import JupiterFeed
from strandline.venues.solana.key import SOLANA_ONCHAIN
from strandline.venues.solana.prices import WRAPPED_SOL, read_prices
from strandline_sim.clock import SteppedClock
from strandline_sim.faults import FaultKind, Rule
from strandline_sim.world import World
from tests.venues.hyperliquid.scripted_socket import RecordingSink, until

START = 1_790_000_000_000
NOW = datetime.fromtimestamp(START / 1000, UTC)
BONK = "DezXAZ8z7PnrnRJjz3wXBoRgixCa6xjnB7YaB1pPB263"
UNLIMITED = FeedLimits(RateLimit(burst=1000, per_second=1000))
WIF = "EKpQGSJtjMFqKZ9KQanSqYXRcF8fBopzLHYxdM65zcjm"


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "_SECONDS_PER_POLL", 0.05)


def run(scenario: Callable[[World, JupiterFeed, RecordingSink], Awaitable[None]], *rules: Rule) -> None:
    async def inside() -> None:
        world = World(SteppedClock(START), seed=3, rules=rules, limited=False, real_time=False)
        at = await world.start()
        sink = RecordingSink()
        feed = JupiterFeed(at.jupiter, sink, lambda: NOW, limits=UNLIMITED)
        run = asyncio.create_task(feed.run())
        try:
            await scenario(world, feed, sink)
        finally:
            run.cancel()
            await asyncio.wait([run])
            await world.stop()

    asyncio.run(inside())


def test_prices_become_ticks_without_size_or_side() -> None:
    async def scenario(world: World, feed: JupiterFeed, sink: RecordingSink) -> None:
        feed.subscribe({WRAPPED_SOL: 7, BONK: 8, "So11111111111111111111111111111111111111113": 9})
        await until(lambda: len(sink.rows) >= 4)
        by_number = {row[1]: row for row in sink.rows}
        assert set(by_number) == {7, 8}
        ts, _, trade_id, price, *rest = by_number[7]
        assert (ts, rest) == (microseconds(NOW), [None, None, b"p", b"r"])
        assert trade_id == world.solana.chain.blocks.slot_of(world.solana.chain.sync())
        assert math.isclose(price, float(world.market.price("SOL", START)), rel_tol=0.01)
        assert feed.status.connected
        assert feed.received_through == NOW

    run(scenario)


def test_an_added_token_is_polled_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "_SECONDS_PER_POLL", 3600.0)

    async def scenario(_: World, feed: JupiterFeed, sink: RecordingSink) -> None:
        feed.subscribe({WRAPPED_SOL: 7})
        await until(lambda: len(sink.rows) == 1)
        feed.subscribe({BONK: 8})
        await until(lambda: len(sink.rows) == 2)
        assert sink.rows[1][1] == 8

    run(scenario)


def test_polling_continues_after_refusals_and_malformed_responses() -> None:
    async def scenario(_: World, feed: JupiterFeed, sink: RecordingSink) -> None:
        feed.subscribe({WRAPPED_SOL: 7})
        await until(lambda: len(sink.rows) == 1)
        assert [refused.venue for refused in sink.refused] == [SOLANA_ONCHAIN]
        assert feed.status.reconnects >= 2

    faults = [FaultKind.STATUS, FaultKind.DROP_ANSWER, FaultKind.REFUSE, FaultKind.MALFORMED]
    run(scenario, *(Rule(route="solana/jupiter/price", kind=kind, value=429) for kind in faults))


def test_tokens_are_polled_fifty_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "_SECONDS_PER_POLL", 3600.0)

    async def scenario(_: World, feed: JupiterFeed, sink: RecordingSink) -> None:
        unknown = {f"{number:032}": number for number in range(120)}
        feed.subscribe({**unknown, BONK: 500})
        await until(lambda: len(sink.rows) == 1)
        assert feed.status.messages == 3

    run(scenario)


def test_listings_have_the_requested_mints_only() -> None:
    async def scenario(_: World, feed: JupiterFeed, __: RecordingSink) -> None:
        found = await feed.listings({BONK, WIF, "no such mint"})
        assert {(one.token_contract, one.symbol, str(one.lot)) for one in found} == {
            (BONK, "BONK", "0.00001"),
            (WIF, "WIF", "0.000001"),
        }
        assert await feed.listings({"BONK"}) == []
        with pytest.raises(FeedError, match="502"):
            await feed.listings({BONK})
        with pytest.raises(FeedError, match="make no sense"):
            await feed.listings({BONK})

    rules = [
        Rule(route="solana/jupiter/tokens", kind=FaultKind.STATUS, after=2, value=502),
        Rule(route="solana/jupiter/tokens", kind=FaultKind.MALFORMED, after=2),
    ]
    run(scenario, *rules)


@given(
    st.binary(max_size=100) | st.recursive(st.none() | st.floats() | st.text(), lambda x: st.dictionaries(st.text(), x))
)
def test_any_response_is_parsed_or_quarantined(answer: object) -> None:
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    prices = read_prices(body)
    assert all(math.isfinite(price.usd) for price in prices.parsed.values())
    assert all(reason for _, reason in prices.rejected)
    assert prices.parsed or prices.rejected or json.loads(body) == {}
