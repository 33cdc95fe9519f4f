"""Two replicas under random drops, kills, silences, lost confirmations: a minute is marked iff neither covered it."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from strandline.store.connect_async import connect_async
from strandline.store.roles import Role
from tests.conftest import Database
from tests.feeds.environment import START
from tests.feeds.test_outages import Process

INSTRUMENTS = (1, 2, 3)
MINUTE = timedelta(minutes=1)
Interval = tuple[datetime, datetime]


class KilledError(Exception):
    """The process ends here."""


class Killer:
    """A connection of a process that is killed before so many more statements have run."""

    def __init__(self, connection: Any, statements: float) -> None:
        self._connection = connection
        self._left = statements

    def transaction(self) -> Any:
        return self._connection.transaction()

    def __getattr__(self, name: str) -> Any:
        if self._left <= 0:
            raise KilledError
        self._left -= 1
        return getattr(self._connection, name)


class Replica:
    """A simulated sidecar, and what it really covered."""

    def __init__(self, random: Random, connection: Any, name: str) -> None:
        self.random = random
        self.connection = connection
        self.name = name
        self.process: Process | None = None
        self.silent_until = START
        self.streamed: dict[int, datetime] = {}
        self.watermark = START
        self.ticks: list[tuple[int, datetime]] = []
        # What was streamed while the process lived, and the part of it that a watermark has proved.
        self.true: dict[int, list[Interval]] = defaultdict(list)
        self.proved: dict[int, list[Interval]] = defaultdict(list)

    def end(self, instrument: int, now: datetime) -> None:
        since = self.streamed.pop(instrument)
        self.true[instrument].append((since, now))
        if self.watermark > since:
            self.proved[instrument].append((since, self.watermark))

    def kill(self, now: datetime) -> None:
        for instrument in list(self.streamed):
            self.end(instrument, now)
        self.process = None

    async def step(self, now: datetime, calm: bool) -> None:
        """Something happens to this replica, and its process writes what it writes."""
        if self.process is None:
            if calm or self.random.random() < 0.3:
                self.process = Process(self.connection, self.name)
                await self.write(now, {}, calm)
            return
        if now < self.silent_until and not calm:
            return
        event = "beat" if calm else self.random.choice(["beat"] * 5 + ["drop", "drop", "kill", "silent", "stop"])
        if event == "kill":
            self.kill(now)
        elif event == "silent":
            self.silent_until = now + timedelta(seconds=self.random.randint(5, 200))
        elif event == "stop":
            await self.beat(now)
            await self.process.record({}, now)
            self.kill(now)
        elif await self.write(now, self.changed(event, now, calm), calm):
            await self.beat(now)

    def changed(self, event: str, now: datetime, calm: bool) -> dict[int, datetime]:
        """What is streamed from now on."""
        streamed = dict(self.streamed)
        for instrument in INSTRUMENTS:
            if event == "drop" and self.random.random() < 0.5:
                streamed.pop(instrument, None)
            elif instrument not in streamed and (calm or self.random.random() < 0.5):
                streamed[instrument] = now
        if self.random.random() < 0.1:  # reconnected between two records
            streamed |= dict.fromkeys(streamed.keys() & {self.random.choice(INSTRUMENTS)}, now)
        return streamed

    async def write(self, now: datetime, streamed: dict[int, datetime], calm: bool) -> bool:
        """Record what is streamed, unless the process is killed meanwhile; returns whether it lives."""
        assert self.process is not None
        if not calm and self.random.random() < 0.15:
            self.process.connection = Killer(self.connection, self.random.randint(0, 9))
        before = self.process.outages._streamed, self.process.outages._alive
        try:
            for _ in range(self.random.choice([1, 1, 2])):
                self.process.outages._streamed, self.process.outages._alive = before  # the commit was not confirmed
                await self.process.record(streamed, now)
        except KilledError:
            self.kill(now)
            return False
        self.process.connection = self.connection
        for instrument, since in list(self.streamed.items()):
            if streamed.get(instrument) != since:
                self.end(instrument, now)
        self.streamed = streamed
        return True

    async def beat(self, now: datetime) -> None:
        assert self.process is not None
        await self.connection.executemany(
            "INSERT INTO dirty_minutes VALUES ($1, date_trunc('minute', $2::timestamptz))",
            [(instrument, now) for instrument in self.streamed],
        )
        self.ticks += [(instrument, now) for instrument in self.streamed]
        await self.process.beat(now, now)
        self.watermark = now


async def roll_up(connection: Any, flags: dict[tuple[int, datetime], bool], now: datetime, ticks: set[Any]) -> None:
    """Take the dirty minutes that are over, and note of those that have a tick whether they are marked."""
    await connection.execute("RESET ROLE; SET ROLE strandline_app")
    taken = await connection.fetch(
        "DELETE FROM dirty_minutes WHERE minute <= $1 RETURNING instrument_id, minute",
        now - MINUTE,
    )
    await connection.execute(f"RESET ROLE; SET ROLE {Role.INGEST.value}")
    rows = await connection.fetch(
        "SELECT instrument_id, starts_at, least(ends_at, '9999-01-01 00:00Z') AS ends_at FROM outages"
    )
    for instrument, minute in {tuple(row) for row in taken} & ticks:
        flags[instrument, minute] = any(
            row["instrument_id"] == instrument and row["starts_at"] <= minute < row["ends_at"] for row in rows
        )


def covers(intervals: Iterable[Interval], minute: datetime) -> bool:
    """Whether the intervals together cover the whole minute."""
    reached = minute
    for since, until in sorted(intervals):
        if since <= reached:
            reached = max(reached, until)
    return reached >= minute + MINUTE


class Run:
    """Two replicas, a clock that goes on by leaps, and the rollup."""

    def __init__(self, random: Random, connection: Any) -> None:
        self.random = random
        self.connection = connection
        self.replicas = [Replica(random, connection, name) for name in "ab"]
        self.flags: dict[tuple[int, datetime], bool] = {}
        self.now = START

    async def step(self, replicas: Sequence[Replica], calm: bool) -> None:
        self.now += timedelta(seconds=self.random.choice([0.4, 3, 9, 14, 16, 40, 90]))
        for replica in self.random.sample(replicas, len(replicas)):
            await replica.step(self.now, calm)
            self.now += timedelta(milliseconds=self.random.randint(1, 300))
        if self.random.random() < 0.3:
            await roll_up(self.connection, self.flags, self.now, ticks(self.replicas))

    async def go(self) -> None:
        """A hundred steps; then both live or one alone, until everything is noticed."""
        for _ in range(100):
            await self.step(self.replicas, calm=False)
        last = self.replicas[: self.random.randint(1, 2)]
        for replica in self.replicas:
            if replica not in last:
                replica.kill(self.now)
        for _ in range(6):
            await self.step(last, calm=True)
        for replica in self.replicas:
            replica.kill(self.now)
        await roll_up(self.connection, self.flags, self.now + 2 * MINUTE, ticks(self.replicas))

    def check(self, instrument: int, spans: Sequence[Interval]) -> None:
        """Compare the outages with what was covered, and the bars with the outages."""
        assert all(one[1] < other[0] for one, other in pairwise(spans))
        true = [interval for replica in self.replicas for interval in replica.true[instrument]]
        proved = [interval for replica in self.replicas for interval in replica.proved[instrument]]
        minute = min(since for since, _ in true).replace(second=0, microsecond=0)
        while minute + MINUTE <= self.now:
            marked = any(since <= minute < until for since, until in spans)
            assert marked or covers(true, minute), (instrument, minute)
            assert not marked or not covers(proved, minute), (instrument, minute)
            assert self.flags.get((instrument, minute), marked) == marked, (instrument, minute)
            minute += MINUTE


@pytest.mark.parametrize("seed", range(6))
def test_a_minute_is_marked_iff_neither_replica_covered_it(database: Database, seed: int) -> None:
    async def inside() -> None:
        connection = await connect_async(database.url, Role.INGEST)
        run = Run(Random(seed), connection)
        await run.go()
        for instrument in INSTRUMENTS:
            rows = await connection.fetch(
                "SELECT starts_at, least(ends_at, '9999-01-01 00:00Z') AS ends_at FROM outages"
                " WHERE instrument_id = $1 ORDER BY starts_at",
                instrument,
            )
            run.check(instrument, [(row["starts_at"], row["ends_at"]) for row in rows])
        assert any(run.flags.values())
        assert not all(run.flags.values())
        await connection.close()

    asyncio.run(inside())


def ticks(replicas: Iterable[Replica]) -> set[tuple[int, datetime]]:
    """The minutes in which anybody received a trade."""
    return {
        (instrument, at.replace(second=0, microsecond=0)) for replica in replicas for instrument, at in replica.ticks
    }
