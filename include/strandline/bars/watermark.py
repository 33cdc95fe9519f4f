"""Waits until the sidecar has committed its ticks up to an instant."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import Engine, text

_LIVE_FOR: Final = timedelta(seconds=15)
_PAUSE_SECONDS: Final = 0.1
_SHARDS = text("""
    SELECT shard, watermark IS NULL OR watermark < :until AS behind
    FROM heartbeats WHERE process = 'ingest' AND beat_at >= :beaten_since ORDER BY shard
""")


class WatermarkWait(NamedTuple):
    """The shards that were live, those of them that were still behind at the end, and how long it took."""

    live: tuple[str, ...]
    behind: tuple[str, ...]
    waited: timedelta


def wait_for_watermark(
    engine: Engine,
    until: datetime,
    patience: timedelta,
    clock: Callable[[], datetime],
    sleep: Callable[[float], None],
) -> WatermarkWait:
    """Go on as soon as no live shard is behind `until`, or when patience ends; at once if no shard is live."""
    began = now = clock()
    while True:
        live, behind = _shards(engine, until, now)
        left = patience - (now - began)
        if not behind or left <= timedelta(0):
            return WatermarkWait(live, behind, now - began)
        sleep(min(_PAUSE_SECONDS, left.total_seconds()))
        now = clock()


def _shards(engine: Engine, until: datetime, now: datetime) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Those whose last beat is fresh, and those of them whose watermark is not there yet."""
    with engine.connect() as connection:
        rows = connection.execute(_SHARDS, {"until": until, "beaten_since": now - _LIVE_FOR}).all()
    return tuple(row.shard for row in rows), tuple(row.shard for row in rows if row.behind)
