"""Waits until the ingest sidecar has committed its ticks up to an instant."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import Engine, text

_HEARTBEAT_TIMEOUT: Final = timedelta(seconds=15)
_PAUSE_SECONDS: Final = 0.1
_SHARDS = text("""
    SELECT shard, bool_and(watermark IS NULL OR watermark < :until) AS behind
    FROM heartbeats WHERE process = 'ingest' AND beat_at >= :beat_since GROUP BY shard ORDER BY shard
""")


class WatermarkWait(NamedTuple):
    """The live shards, those of them that were still behind at the end, and the time waited."""

    live: tuple[str, ...]
    behind: tuple[str, ...]
    waited: timedelta


def wait_for_watermark(
    engine: Engine,
    until: datetime,
    timeout: timedelta,
    clock: Callable[[], datetime],
    sleep: Callable[[float], None],
) -> WatermarkWait:
    """Wait until no live shard is behind `until`, at most for `timeout`; returns at once if no shard is live.

    Of a shard's replicas one that is not behind is enough.
    """
    started = now = clock()
    while True:
        live, behind = _shards(engine, until, now)
        remaining = timeout - (now - started)
        if not behind or remaining <= timedelta(0):
            return WatermarkWait(live, behind, now - started)
        sleep(min(_PAUSE_SECONDS, remaining.total_seconds()))
        now = clock()


def _shards(engine: Engine, until: datetime, now: datetime) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Read the shards with a recent heartbeat, and those of them whose watermark is before `until`."""
    with engine.connect() as connection:
        rows = connection.execute(_SHARDS, {"until": until, "beat_since": now - _HEARTBEAT_TIMEOUT}).all()
    return tuple(row.shard for row in rows), tuple(row.shard for row in rows if row.behind)
