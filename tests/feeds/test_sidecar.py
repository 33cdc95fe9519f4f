"""The sidecar with simulated venues: every trade of the market is in the table once, whatever happens on the way."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest

from strandline.feeds import subscriptions
from strandline.feeds.shard import Shard, SidecarName
from strandline.feeds.tick_buffer import TickBuffer
from strandline.venues.solana import feed
from strandline_sim.clock import RunningClock
from strandline_sim.faults import FaultKind, Rule
from strandline_sim.symbols import PERPS
from tests.conftest import Database
from tests.feeds.environment import (
    START,
    START_MS,
    Environment,
    run_with_sidecar,
    running_sidecar,
    simulated_venues,
    until,
)
from tests.store.rows import insert

MAJORS = ("BTC", "ETH", "SOL", "HYPE", "BNB")
WRAPPED_SOL = "So11111111111111111111111111111111111111112"
BONK = "DezXAZ8z7PnrnRJjz3wXBoRgixCa6xjnB7YaB1pPB263"


async def all_stored(env: Environment, since: int, coins: tuple[str, ...] = MAJORS) -> None:
    """Every trade of the market is in the table, and nothing else."""
    await until(lambda: all(env.market_trades(coin, since) <= env.stored_ticks(coin, since) for coin in coins))
    assert all(env.market_trades(coin, since) == env.stored_ticks(coin, since) for coin in coins)


def test_every_trade_of_the_market_is_stored(database: Database) -> None:
    async def scenario(env: Environment) -> None:
        await env.wait_for_subscriptions()
        await env.advance(90)
        await all_stored(env, START_MS)
        dirty_minutes = set(env.query("SELECT instrument_id, minute FROM dirty_minutes"))
        assert dirty_minutes >= set(env.query("SELECT DISTINCT instrument_id, date_trunc('minute', ts) FROM ticks"))
        # So are the trades that the venue replays on subscribing.
        assert all(env.stored_ticks(coin, 0) <= env.market_trades(coin, START_MS - 86_400_000) for coin in MAJORS)
        kinds = env.query("SELECT DISTINCT kind::text, source::text FROM ticks ORDER BY 1")
        assert [tuple(row) for row in kinds] == [("p", "r"), ("t", "s")]

    run_with_sidecar(database.url, scenario)


@pytest.mark.slow
def test_cut_replayed_and_duplicated_streams_neither_lose_nor_duplicate_ticks(database: Database) -> None:
    kinds = (FaultKind.DISCONNECT, FaultKind.REPLAY, FaultKind.ANSWER_TWICE, FaultKind.REORDER)
    rules = [Rule(route="hyperliquid/ws/trades", kind=kind, after=5 + 9 * number) for number, kind in enumerate(kinds)]

    async def scenario(env: Environment) -> None:
        await env.wait_for_subscriptions()
        for _ in range(12):
            await env.wait_for_subscriptions()
            await env.advance(5)
        assert {line.kind for line in env.world.faults.journal} == set(kinds)
        await env.wait_for_subscriptions()
        await env.advance(1)
        await all_stored(env, START_MS)
        reconnects = "SELECT details #> '{feeds,hyperliquid/perps,reconnects}' FROM heartbeats"
        await until(lambda: env.scalar(reconnects) >= 1)

    run_with_sidecar(database.url, scenario, rules=rules)


@pytest.mark.slow
def test_malformed_messages_are_quarantined_and_the_stream_goes_on(database: Database) -> None:
    rules = [Rule(route="hyperliquid/ws/trades", kind=FaultKind.MALFORMED, after=3, times=2)]

    async def scenario(env: Environment) -> None:
        await env.wait_for_subscriptions()
        await env.advance(5)
        await until(lambda: env.scalar("SELECT count(*) FROM quarantined_messages") == 2)
        since = env.world.clock.now()
        await env.advance(20)
        await all_stored(env, since)
        found = env.query("SELECT token_chain, source, reason, payload FROM quarantined_messages")
        assert {(row.token_chain, row.source) for row in found} == {("hyperliquid", "stream")}
        assert all(bytes(row.payload).startswith(b'{"channel":"trades"') and row.reason for row in found)

    run_with_sidecar(database.url, scenario, rules=rules)


@pytest.mark.slow
def test_a_token_is_streamed_from_when_its_row_is_added_until_it_is_archived(database: Database) -> None:
    async def scenario(env: Environment) -> None:
        await env.wait_for_subscriptions()
        env.add_row("DOGE")
        env.add_row("DOGE", timeframe="4h")
        env.add_row("BTC")
        env.add_row(BONK, "solana/onchain_crypto")
        await env.wait_for_subscriptions(*MAJORS, "DOGE")
        since = env.world.clock.now()
        await env.advance(30)
        await all_stored(env, since, (*MAJORS, "DOGE"))
        count = "SELECT count(*) FROM ticks JOIN instruments USING (instrument_id) WHERE token_contract = :mint"
        await until(lambda: env.scalar(count, mint=BONK) > 0)
        env.query("UPDATE positions SET desired_status = 'paused' WHERE timeframe = '1h'")
        env.query("UPDATE positions SET desired_status = 'archived' WHERE timeframe = '4h'")
        await asyncio.sleep(0)
        assert env.subscriptions() == {*MAJORS, "DOGE"}
        env.query("UPDATE positions SET desired_status = 'archived'")
        await env.wait_for_subscriptions()
        new = [set(tokens) for _, tokens in env.new_instruments]
        assert new == [set(MAJORS), {WRAPPED_SOL}, {"DOGE"}, {BONK}]

    run_with_sidecar(database.url, scenario)


def test_an_unlisted_token_is_logged_once_and_the_rest_is_streamed(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(env: Environment) -> None:
        env.add_row("NOSUCHCOIN")
        env.add_row("nosuchmint", "solana/onchain_crypto")
        env.add_row("AAPL", "exchange/stocks")
        await env.wait_for_subscriptions()
        await until(lambda: len(warnings()) == 3)
        env.add_row("DOGE")
        await env.wait_for_subscriptions(*MAJORS, "DOGE")
        assert len(warnings()) == 3

    def warnings() -> list[str]:
        return [record.message for record in caplog.records if "does not list" in record.message]

    run_with_sidecar(database.url, scenario)


def test_instruments_are_as_the_venues_describe_them(database: Database) -> None:
    async def scenario(env: Environment) -> None:
        env.add_row(BONK, "solana/onchain_crypto")
        await env.wait_for_subscriptions()
        await until(lambda: env.scalar("SELECT count(*) FROM instruments") == len(PERPS) + 2)
        rows = env.query("SELECT token_contract, symbol, lot, min_notional FROM instruments")
        assert {(row.token_contract, row.symbol, float(row.lot), int(row.min_notional)) for row in rows} >= {
            ("BTC", "BTC", 0.00001, 10),
            ("kPEPE", "kPEPE", 1, 10),
            (BONK, "BONK", 0.00001, 1),
            (WRAPPED_SOL, "SOL", 1e-9, 1),
        }

    run_with_sidecar(database.url, scenario)


def test_a_changed_listing_updates_the_instrument_and_keeps_its_id(database: Database) -> None:
    with database.session() as session:
        insert(session, "instruments", symbol="OLD", lot=7, listed=False)

    async def scenario(env: Environment) -> None:
        await env.wait_for_subscriptions()
        row = env.query("SELECT * FROM instruments WHERE token_contract = 'BTC'")[0]
        assert (row.instrument_id, row.symbol, float(row.lot), row.listed) == (1, "BTC", 0.00001, True)

    run_with_sidecar(database.url, scenario)


@pytest.mark.slow
def test_a_venue_that_is_down_is_retried(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriptions, "_RETRY_SECONDS", 0.1)
    monkeypatch.setattr(feed, "_SECONDS_PER_POLL", 0.1)
    rules = [
        Rule(route="hyperliquid/info/meta", kind=FaultKind.STATUS, value=502),
        Rule(route="hyperliquid/ws/connect", kind=FaultKind.REFUSE),
        Rule(route="solana/jupiter/*", kind=FaultKind.STATUS, value=429),
    ]

    async def scenario(env: Environment) -> None:
        await env.wait_for_subscriptions()
        await until(lambda: env.scalar("SELECT count(*) FROM ticks WHERE kind = 'p'") > 0)
        assert len(env.world.faults.journal) == 3

    run_with_sidecar(database.url, scenario, rules=rules)


def test_two_sidecars_write_everything_once(database: Database) -> None:
    async def scenario(env: Environment) -> None:
        await env.wait_for_subscriptions()
        async with running_sidecar(env, other := TickBuffer(env.now), SidecarName(replica="b")):
            await until(lambda: env.world.hyperliquid._broadcaster.subscriptions == 2 * len(MAJORS))
            since = env.world.clock.now()
            await env.advance(60)
            await all_stored(env, since)
            assert other.counts.accepted > 0

    run_with_sidecar(database.url, scenario)


def test_shards_split_the_instruments_and_each_has_a_watermark(database: Database) -> None:
    async def scenario() -> None:
        async with simulated_venues(database.url) as env, AsyncExitStack() as stack:
            for index in range(2):
                name = SidecarName(Shard(index, 2))
                await stack.enter_async_context(running_sidecar(env, TickBuffer(env.now), name))
            await env.wait_for_subscriptions()
            assert env.world.hyperliquid._broadcaster.subscriptions == len(MAJORS)
            await env.advance(30)
            await all_stored(env, START_MS)
            beats = "SELECT shard, watermark IS NOT NULL FROM heartbeats ORDER BY shard"
            await until(lambda: [tuple(row) for row in env.query(beats)] == [("0/2", True), ("1/2", True)])

    asyncio.run(scenario())


@pytest.mark.slow
def test_nothing_is_committed_behind_the_watermark(database: Database) -> None:
    """Samples of the watermark, each with the ticks under it: none may grow afterwards."""
    samples: list[tuple[object, int]] = []
    rules = [
        Rule(route="hyperliquid/ws/trades", kind=FaultKind.DISCONNECT, after=10),
        Rule(route="hyperliquid/ws/trades", kind=FaultKind.LAG, value=1200, times=None),
    ]

    async def scenario(env: Environment) -> None:
        await env.wait_for_subscriptions()
        await until(lambda: env.scalar("SELECT watermark FROM heartbeats") is not None)
        while len({watermark for watermark, _ in samples}) < 8 and len(samples) < 300:
            sample = env.query(
                "SELECT watermark, (SELECT count(*) FROM ticks WHERE ts <= watermark) AS under FROM heartbeats"
            )[0]
            samples.append((sample.watermark, sample.under))
            await asyncio.sleep(0.1)

    run_with_sidecar(database.url, scenario, clock=RunningClock(START_MS), rules=rules)
    with database.session() as connection:
        for watermark, under in samples:
            count = connection.exec_driver_sql("SELECT count(*) FROM ticks WHERE ts <= %s", (watermark,))
            assert count.scalar() == under
    marks = [watermark for watermark, _ in samples]
    assert marks == sorted(marks)  # type: ignore[type-var]
    assert len(set(marks)) >= 8


def test_the_watermark_stands_still_while_the_stream_is_down(database: Database) -> None:
    async def scenario(env: Environment) -> None:
        await env.wait_for_subscriptions()
        await env.advance(5)
        await until(lambda: env.scalar("SELECT watermark FROM heartbeats") is not None)
        env.world.faults.add(Rule(route="hyperliquid/ws/connect", kind=FaultKind.REFUSE, times=None))
        for socket in list(env.world.hyperliquid._broadcaster.sockets):
            socket.abort()
        down_at = START + timedelta(seconds=5)
        await env.advance(60)
        await until(
            lambda: bool(env.scalar("SELECT beat_at > :late FROM heartbeats", late=down_at + timedelta(seconds=30)))
        )
        assert env.scalar("SELECT watermark FROM heartbeats") <= down_at

    run_with_sidecar(database.url, scenario)
