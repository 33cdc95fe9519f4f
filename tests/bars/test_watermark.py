"""The rollup waits for the watermark of live shards, up to a timeout."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, Engine, text

from strandline.bars import WatermarkWait, wait_for_watermark

T = datetime(2026, 1, 5, 10, tzinfo=UTC)
TIMEOUT = timedelta(seconds=5)
SECOND = timedelta(seconds=1)


class Time:
    """A clock that moves only by sleep(), which then calls `meanwhile`."""

    def __init__(self, meanwhile: Callable[[datetime], None] = lambda _: None) -> None:
        self.now = T + SECOND
        self.meanwhile = meanwhile

    def clock(self) -> datetime:
        """The current time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Advance the clock."""
        assert seconds > 0
        self.now += timedelta(seconds=seconds)
        self.meanwhile(self.now)


def beat(
    admin: Connection,
    shard: str,
    watermark: datetime | None,
    at: datetime = T,
    process: str = "ingest",
    replica: str = "a",
) -> None:
    """Write the heartbeat of a shard."""
    admin.execute(
        text("""
            INSERT INTO heartbeats (process, shard, replica, beat_at, started_at, watermark)
            VALUES (:process, :shard, :replica, :at, :at, :watermark)
            ON CONFLICT (process, shard, replica) DO UPDATE SET beat_at = :at, watermark = :watermark
        """),
        {"process": process, "shard": shard, "replica": replica, "at": at, "watermark": watermark},
    )
    admin.commit()


def wait(engine: Engine, time: Time) -> WatermarkWait:
    """Wait for the ticks up to T."""
    return wait_for_watermark(engine, T, TIMEOUT, time.clock, time.sleep)


def test_it_returns_at_once_when_no_shard_is_behind(engine: Engine, admin: Connection) -> None:
    beat(admin, "0/2", T)
    beat(admin, "1/2", T + SECOND)
    assert wait(engine, Time()) == (("0/2", "1/2"), (), timedelta(0))


def test_it_returns_as_soon_as_the_last_shard_arrives(engine: Engine, admin: Connection) -> None:
    def arrive(now: datetime) -> None:
        if now >= T + 3 * SECOND:
            beat(admin, "1/2", T)

    beat(admin, "0/2", T)
    beat(admin, "1/2", T - timedelta(microseconds=1))
    result = wait(engine, Time(arrive))
    assert result.behind == ()
    assert 2 * SECOND <= result.waited < 2.5 * SECOND


def test_one_replica_of_each_shard_is_enough(engine: Engine, admin: Connection) -> None:
    beat(admin, "0/2", None)
    beat(admin, "0/2", T, replica="b")
    beat(admin, "1/2", T)
    beat(admin, "1/2", T - SECOND, replica="b")
    assert wait(engine, Time()) == (("0/2", "1/2"), (), timedelta(0))
    beat(admin, "1/2", T, at=T - 15 * SECOND)
    assert wait(engine, Time()) == (("0/2", "1/2"), ("1/2",), TIMEOUT)


@pytest.mark.parametrize("watermark", [T - SECOND, None])
def test_it_returns_at_the_timeout(engine: Engine, admin: Connection, watermark: datetime | None) -> None:
    beat(admin, "0/2", T)
    beat(admin, "1/2", watermark)
    assert wait(engine, Time()) == (("0/2", "1/2"), ("1/2",), TIMEOUT)


def test_a_shard_that_dies_meanwhile_is_not_waited_for(engine: Engine, admin: Connection) -> None:
    beat(admin, "0/1", T - SECOND, at=T - 12 * SECOND)
    result = wait(engine, Time())
    assert (result.live, result.behind) == ((), ())
    assert 2 * SECOND <= result.waited < 2.5 * SECOND


def test_only_recent_heartbeats_of_the_sidecar_count(engine: Engine, admin: Connection) -> None:
    beat(admin, "0/1", T - SECOND, at=T - 15 * SECOND)
    beat(admin, "0/1", T - SECOND, process="notifier")
    assert wait(engine, Time()) == ((), (), timedelta(0))
