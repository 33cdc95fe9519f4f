"""Every minute of which trades may be missing is recorded as such, whatever went wrong, and becomes dirty."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from strandline.feeds.heartbeat import Heartbeat, ReplacedError
from strandline.feeds.outages import Outages, delete_old_coverage, record_dropped
from strandline.feeds.shard import Shard, SidecarName
from strandline.feeds.sidecar import Sidecar
from strandline.feeds.tick_buffer import TickBuffer
from strandline.model.instants import microseconds
from strandline.store.connect_async import connect_async
from strandline.store.roles import Role
from strandline.venues.hyperliquid.feed import HyperliquidFeed
from strandline.venues.packed_ticks import pack
from strandline_sim.faults import FaultKind, Rule
from tests.conftest import Database
from tests.feeds.environment import START, Environment, instant, simulated_venues, until
from tests.feeds.test_sidecar import MAJORS

MINUTE = timedelta(minutes=1)


def at(minute: float) -> datetime:
    """So many minutes after the start, which is that of a minute."""
    return START + minute * MINUTE


class Process:
    """One sidecar's part, at times that the test says."""

    def __init__(self, connection: Any, replica: str = "a", shard: str = "0/1") -> None:
        self.connection = connection
        self.heartbeat = Heartbeat(SidecarName(Shard.parse(shard), replica), START)
        self.outages = Outages(self.heartbeat)

    async def record(self, streamed: Mapping[int, datetime], now: datetime) -> None:
        await self.outages.record(self.connection, streamed, now)

    async def beat(self, watermark: datetime | None, now: datetime) -> None:
        async with self.connection.transaction():
            last = await self.heartbeat.hold(self.connection)
            await self.heartbeat.write(self.connection, now=now, watermark=watermark, details={})
            await self.outages.review(self.connection, last, now)


class Bench:
    """The sidecar's side of one connection, with a clock that the test sets."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.now = START
        self.restart()

    def restart(self) -> None:
        """Kill the process, and start the next."""
        self.process = Process(self.connection)
        self.outages = self.process.outages

    async def record(self, streamed: Mapping[int, datetime]) -> None:
        await self.process.record(streamed, self.now)

    async def beat(self, watermark: datetime, beat_at: datetime | None = None) -> None:
        self.now = beat_at or watermark
        await self.process.beat(watermark, self.now)

    async def rows(self, instrument: int = 1) -> list[tuple[Any, ...]]:
        """The outages as minutes since the start; None is without end."""
        query = "SELECT starts_at, NULLIF(ends_at, 'infinity') FROM outages WHERE instrument_id = $1 ORDER BY starts_at"
        found = await self.connection.fetch(query, instrument)
        return [tuple(None if moment is None else (moment - START) / MINUTE for moment in row) for row in found]

    async def take_dirty(self, instrument: int = 1) -> set[float]:
        """The dirty minutes, which are clean afterwards."""
        query = "SELECT minute FROM dirty_minutes WHERE instrument_id = $1"
        found = {(row["minute"] - START) / MINUTE for row in await self.connection.fetch(query, instrument)}
        await self.connection.execute("RESET ROLE; SET ROLE strandline_app; DELETE FROM dirty_minutes; RESET ROLE")
        return found


def run(database: Database, scenario: Callable[[Bench], Awaitable[None]]) -> None:
    async def inside() -> None:
        connection = await connect_async(database.url, Role.INGEST)
        try:
            await scenario(Bench(connection))
        finally:
            await connection.close()

    asyncio.run(inside())


def test_minutes_of_replayed_trades_are_incomplete_until_the_stream_is_proved(database: Database) -> None:
    async def scenario(bench: Bench) -> None:
        bench.outages.saw(
            pack(
                [
                    (microseconds(at(-3.1)), 1, 8, 1.5, 2.0, b"b", b"t", b"s"),
                    (microseconds(at(-3.5)), 1, 7, 1.5, 2.0, b"b", b"t", b"s"),
                    (microseconds(at(-5.5)), 2, 7, 1.5, None, None, b"p", b"r"),
                ]
            )
        )
        await bench.record({1: at(0.5), 2: at(0.5)})
        assert (await bench.rows(1), await bench.rows(2)) == ([(-4, 1)], [(0, 1)])
        assert await bench.take_dirty() >= {-4, -3, -2, -1, 0}

    run(database, scenario)


def test_an_interruption_is_open_from_the_watermark_on_and_closed_by_the_next_proof(database: Database) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.record({1: at(0.5), 2: at(0.5)})
        await bench.beat(at(10.9), beat_at=at(11.1))
        await bench.take_dirty()
        await bench.record({2: at(0.5)})
        assert await bench.rows(1) == [(0, 1), (10, None)]
        assert await bench.take_dirty() >= {10, 11}
        await bench.record({1: at(14.5), 2: at(0.5)})
        assert await bench.rows(1) == [(0, 1), (10, 15)]
        assert await bench.rows(2) == [(0, 1)]

    run(database, scenario)


def test_a_reconnection_between_two_records_is_an_outage_too(database: Database) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.record({1: at(0.5)})
        await bench.beat(at(10.9))
        await bench.record({1: at(11.5)})
        assert await bench.rows() == [(0, 1), (10, 12)]

    run(database, scenario)


def test_after_a_kill_everything_since_the_last_watermark_is_an_outage(database: Database) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.record({1: at(0.5), 2: at(0.5)})
        await bench.beat(at(10.9), beat_at=at(11.2))
        await bench.take_dirty()
        bench.restart()
        await bench.record({})
        assert await bench.rows(1) == await bench.rows(2) == [(0, 1), (10, None)]
        assert await bench.take_dirty(2) >= {10, 11}
        await bench.record({1: at(30.5)})
        assert (await bench.rows(1), await bench.rows(2)) == ([(0, 1), (10, 31)], [(0, 1), (10, None)])
        bench.restart()
        await bench.record({1: at(40.5)})
        assert (await bench.rows(1), await bench.rows(2)) == ([(0, 1), (10, 41)], [(0, 1), (10, None)])

    run(database, scenario)


def test_interruptions_in_one_minute_are_one_row_and_repetition_changes_nothing(database: Database) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.record({1: at(0.2)})
        for seconds in range(10, 50, 5):
            streamed = {1: at(seconds / 60)}
            await bench.beat(at(seconds / 60))
            before = bench.outages._streamed
            await bench.record(streamed)
            bench.outages._streamed = before  # the commit was not confirmed
            await bench.record(streamed)
        assert await bench.rows() == [(0, 1)]

    run(database, scenario)


def test_what_one_replica_streams_is_no_outage(database: Database) -> None:
    async def scenario(bench: Bench) -> None:
        a, b = bench.process, Process(bench.connection, "b")
        await a.record({1: at(0.5), 2: at(0.5)}, at(0.5))
        await a.beat(at(2), at(2))
        await b.record({1: at(3.5)}, at(3.5))
        for process in (a, b):
            await process.beat(at(10.9), at(10.9))
        await a.record({}, at(11))
        assert (await bench.rows(1), await bench.rows(2)) == ([(0, 1)], [(0, 1), (10, None)])
        await b.beat(at(12.9), at(12.9))
        await b.record({}, at(13))
        assert await bench.rows(1) == [(0, 1), (12, None)]
        await a.record({1: at(14.1)}, at(14.1))
        assert await bench.rows(1) == [(0, 1), (12, 15)]

    run(database, scenario)


def test_a_replica_that_was_killed_covers_up_to_its_watermark(database: Database) -> None:
    """The other notices as soon as the heartbeat is old, though the dead one writes nothing ever again."""

    async def scenario(bench: Bench) -> None:
        a, b = bench.process, Process(bench.connection, "b")
        for process in (a, b):
            await process.record({1: at(0.5)}, at(0.5))
            await process.beat(at(10.9), at(10.9))
        await a.record({}, at(11))
        await b.beat(at(11.9), at(11.9))
        await a.record({1: at(12.1)}, at(12.1))
        assert await bench.rows(1) == [(0, 1)]
        await bench.take_dirty()
        await a.beat(at(12.2), at(12.2))
        await a.beat(at(12.3), at(12.3))
        assert await bench.rows(1) == [(0, 1), (11, 13)]
        assert await bench.take_dirty() == {11, 12}

    run(database, scenario)


def test_a_replica_that_was_silent_and_lived_takes_back_what_was_taken_for_missing(database: Database) -> None:
    async def scenario(bench: Bench) -> None:
        a, b = bench.process, Process(bench.connection, "b")
        for process in (a, b):
            await process.record({1: at(0.5)}, at(0.5))
            await process.beat(at(10.9), at(10.9))
        await a.beat(at(12.9), at(12.9))
        await a.record({}, at(13))
        assert await bench.rows(1) == [(0, 1), (12, None)]
        await bench.take_dirty()
        await b.beat(at(13.9), at(13.9))
        assert await bench.rows(1) == [(0, 1)]
        assert await bench.take_dirty() >= {12, 13}

    run(database, scenario)


def test_what_passes_from_shard_to_shard_is_an_outage_in_between_only(database: Database) -> None:
    async def scenario(bench: Bench) -> None:
        whole = bench.process
        await whole.record({1: at(0.5), 2: at(0.5)}, at(0.5))
        await whole.beat(at(10.9), at(10.9))
        halves = [Process(bench.connection, shard=f"{index}/2") for index in range(2)]
        for number, half in enumerate(halves, 1):
            await half.record({number: at(11.05)}, at(11.05))
            await half.beat(at(11.1), at(11.1))
        assert await bench.rows(1) == [(0, 1)]  # the first is killed, and nobody knows yet
        for now in (at(11.5), at(20.9)):
            for half in halves:
                await half.beat(now, now)
        assert await bench.rows(1) == await bench.rows(2) == [(0, 1), (10, 12)]
        for half in halves:
            await half.record({}, at(21))
        bench.restart()
        await bench.process.record({1: at(21.4), 2: at(30.4)}, at(31))
        assert (await bench.rows(1), await bench.rows(2)) == (
            [(0, 1), (10, 12), (20, 22)],
            [(0, 1), (10, 12), (20, 31)],
        )

    run(database, scenario)


def test_a_process_that_is_started_with_the_same_name_replaces_the_other(database: Database) -> None:
    async def scenario(bench: Bench) -> None:
        first, second = bench.process, Process(bench.connection)
        await first.record({1: at(0.5)}, at(0.5))
        await second.record({}, at(1))
        with pytest.raises(ReplacedError):
            await first.beat(at(2), at(2))
        with pytest.raises(ReplacedError):
            await first.record({}, at(2))
        await second.beat(at(2), at(2))

    run(database, scenario)


def test_old_coverage_is_deleted_and_outages_before_it_stay(database: Database) -> None:
    async def scenario(bench: Bench) -> None:
        days = 24 * 60
        dead = Process(bench.connection, "b")
        await dead.record({1: at(0.5), 3: at(0.5)}, at(0.5))
        await dead.beat(at(5), at(5))
        for begin in (0.5, 10.5, 20.5, 9 * days + 0.5):
            await bench.record({1: at(begin), 2: at(begin)})
            await bench.beat(at(begin + 3.2))
            await bench.record({})
        await bench.record({1: at(9 * days + 8.2)})
        before = await bench.rows(1), await bench.rows(2), await bench.rows(3)
        await delete_old_coverage(bench.connection, at(9 * days + 10))
        kept = await bench.connection.fetch("SELECT instrument_id FROM stream_coverage ORDER BY 1")
        assert [row["instrument_id"] for row in kept] == [1, 1, 2, 3, 3]
        bench.restart()
        await bench.record({1: at(9 * days + 20.2)})
        assert (await bench.rows(2), await bench.rows(3)) == before[1:]
        assert await bench.rows(1) == [*before[0][:-1], (9 * days + 3, 9 * days + 21)]

    run(database, scenario)


def test_an_outage_that_grows_is_no_longer_repaired(database: Database) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.record({1: at(0.2), 2: at(0.2)})
        await record_dropped(bench.connection, {(1, at(2)): 1, (2, at(2)): 1})
        for table in ("outages", "dropped_ticks"):
            await bench.connection.execute(f"UPDATE {table} SET repaired_at = now()")
        await bench.beat(at(0.4))
        await bench.record({1: at(0.6), 2: at(0.2)})
        await bench.beat(at(1.4))
        await bench.record({1: at(0.6), 2: at(1.6)})
        await record_dropped(bench.connection, {(1, at(2)): 1})
        repaired = await bench.connection.fetch(
            "(SELECT repaired_at IS NOT NULL AS is FROM outages ORDER BY instrument_id)"
            " UNION ALL (SELECT repaired_at IS NOT NULL FROM dropped_ticks ORDER BY instrument_id)"
        )
        assert [row["is"] for row in repaired] == [True, False, False, True]

    run(database, scenario)


def test_dropped_ticks_are_counted_by_minute(database: Database) -> None:
    async def scenario(bench: Bench) -> None:
        await record_dropped(bench.connection, {(1, at(0)): 3, (1, at(2)): 1, (2, at(0)): 5})
        await record_dropped(bench.connection, {(1, at(2)): 4})
        found = await bench.connection.fetch(
            "SELECT instrument_id, minute, dropped FROM dropped_ticks ORDER BY instrument_id, minute"
        )
        assert [tuple(row) for row in found] == [(1, at(0), 3), (1, at(2), 5), (2, at(0), 5)]
        assert await bench.take_dirty() == {0, 2}

    run(database, scenario)


class KillableSidecar:
    """A sidecar that can be ended without a word."""

    def __init__(self, env: Environment, buffer: TickBuffer, replica: str = "a") -> None:
        feed = HyperliquidFeed(env.endpoints.hyperliquid, buffer, env.now)
        self._connections: list[Any] = []

        async def open_connection() -> Any:
            self._connections.append(await connect_async(env.url, Role.INGEST))
            return self._connections[-1]

        name = SidecarName(replica=replica)
        sidecar = Sidecar(open_connection, buffer, [feed], env.now, lambda *_: None, name)
        self._run = asyncio.create_task(sidecar.run(asyncio.Event()))

    async def kill(self) -> None:
        """What is received and not committed is lost."""
        self._run.cancel()
        await asyncio.wait([self._run])
        for connection in self._connections:
            connection.terminate()


@pytest.mark.slow
def test_every_missing_trade_under_the_watermark_is_in_a_minute_that_is_marked(database: Database) -> None:
    """The stream is cut for longer than the venue replays, the sidecar killed, the buffer full, a frame broken."""

    async def scenario(env: Environment) -> None:
        since = env.world.clock.now()
        sidecar = KillableSidecar(env, TickBuffer(env.now))
        await proved(env)
        await env.advance(70)
        await proved(env)
        env.world.faults.add(Rule(route="hyperliquid/ws/connect", kind=FaultKind.REFUSE))
        for socket in list(env.world.hyperliquid._broadcaster.sockets):
            socket.abort()
        await env.advance(200)
        await proved(env)
        await env.advance(70)
        env.world.faults.add(Rule(route="hyperliquid/ws/trades", kind=FaultKind.MALFORMED))
        await env.advance(70)
        await proved(env)
        await sidecar.kill()
        await env.advance(200)
        sidecar = KillableSidecar(env, TickBuffer(env.now))
        await proved(env)
        await env.advance(70)
        await proved(env)
        await sidecar.kill()
        sidecar = KillableSidecar(env, TickBuffer(env.now, max_rows=40))
        await proved(env)
        for _ in range(20):
            await env.advance(20, step_ms=20_000)
        await proved(env)
        await sidecar.kill()
        await check(env, since)

    async def inside() -> None:
        async with simulated_venues(database.url) as env:
            await scenario(env)

    asyncio.run(inside())


async def proved(env: Environment) -> None:
    """Wait until the watermark has come near the present."""
    now = instant(env.world.clock.now())
    await until(lambda: (env.scalar("SELECT watermark FROM heartbeats") or START) >= now - timedelta(seconds=2))


async def check(env: Environment, since: int) -> None:
    """No trade is missing silently, and most minutes are complete."""
    watermark = env.scalar("SELECT watermark FROM heartbeats")
    missing = marked = 0
    for coin in MAJORS:
        number = env.scalar(
            "SELECT instrument_id FROM instruments WHERE token_chain = 'hyperliquid' AND token_contract = :c", c=coin
        )
        lost = {
            trade for trade in env.market_trades(coin, since) - env.stored_ticks(coin, since) if trade[0] <= watermark
        }
        incomplete = {
            row.minute
            for row in env.query(
                "SELECT m AS minute FROM generate_series(CAST(:first AS timestamptz), :last, interval '1 minute') m"
                " WHERE EXISTS (SELECT FROM outages WHERE instrument_id = :i AND starts_at <= m AND m < ends_at)"
                " OR EXISTS (SELECT FROM dropped_ticks WHERE instrument_id = :i AND minute = m)",
                first=instant(since),
                last=watermark,
                i=number,
            )
        }
        silent = {trade for trade in lost if trade[0].replace(second=0, microsecond=0) not in incomplete}
        assert silent == set()
        missing += len(lost)
        marked += len(incomplete)
    minutes = (watermark - instant(since)) / MINUTE * len(MAJORS)
    assert missing > 0
    assert marked < minutes
    assert env.scalar("SELECT count(*) FROM dropped_ticks") > 0
