"""P: the price of a decision, and where it came from."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, text

from strandline.cycle.marks import SeenMark
from strandline.model.exact import Price
from strandline.model.position import Position
from strandline.model.strategy import Freshness
from strandline.model.timeframe import Timeframe
from strandline.pm.inputs import KnownPrice


def trusted_prices(
    connection: Connection,
    cycle: datetime,
    instruments: Collection[int],
    freshness: Freshness,
    withheld: Collection[tuple[int, Timeframe, datetime]],
) -> Mapping[int, KnownPrice]:
    """The close of the newest final 1m bar that is fresh and that the quality gate does not withhold, else the mark
    that this very cycle saw, else nothing."""
    return {**_seen_marks(connection, cycle), **_closes(connection, cycle, instruments, freshness, withheld)}


def known_mark(mark: SeenMark | None) -> KnownPrice | None:
    """A mark as the planner reads it."""
    if mark is None:
        return None
    return KnownPrice(price=mark.price, source=f"mark {mark.source}", observed_at=mark.observed_at)


def highest_closes(connection: Connection, cycle: datetime, held: Iterable[Position]) -> Mapping[UUID, Price]:
    """By position the highest 5m close of the bars that ended after its first fill, up to the cycle."""
    since = {row.position_id: (row.instrument_id, row.holding.first_fill_at) for row in held}
    rows = connection.execute(
        text("""
        SELECT position_id, max(b.close) AS highest
        FROM unnest(CAST(:positions AS uuid[]), CAST(:instruments AS integer[]), CAST(:since AS timestamptz[]))
          AS s (position_id, instrument_id, since)
        JOIN bars b ON b.instrument_id = s.instrument_id AND b.timeframe = '5m'
          AND b.ts > s.since - interval '5 minutes' AND b.ts <= CAST(:cycle AS timestamptz) - interval '5 minutes'
        GROUP BY position_id
        """),
        {
            "positions": list(since),
            "instruments": [instrument_id for instrument_id, _ in since.values()],
            "since": [first_fill_at for _, first_fill_at in since.values()],
            "cycle": cycle,
        },
    )
    return {row.position_id: Price.from_float(row.highest) for row in rows if row.highest > 0}


def _closes(
    connection: Connection,
    cycle: datetime,
    instruments: Collection[int],
    freshness: Freshness,
    withheld: Collection[tuple[int, Timeframe, datetime]],
) -> Mapping[int, KnownPrice]:
    minute = Timeframe.M1.length
    rows = connection.execute(
        text("""
        SELECT instrument_id, ts, revision, close FROM bars
        WHERE instrument_id = ANY(:instruments) AND timeframe = '1m' AND ts BETWEEN :oldest AND :newest
        ORDER BY instrument_id, ts
        """),
        {
            "instruments": list(instruments),
            "oldest": cycle - timedelta(seconds=freshness.max_bar_age_seconds) - minute,
            "newest": cycle - minute,
        },
    )
    return {
        row.instrument_id: KnownPrice(
            price=Price.from_float(row.close),
            source=f"1m bar {row.ts.isoformat()} revision {row.revision}",
            observed_at=row.ts + minute,
        )
        for row in rows
        if row.close > 0 and (row.instrument_id, Timeframe.M1, row.ts) not in withheld
    }


def _seen_marks(connection: Connection, cycle: datetime) -> Mapping[int, KnownPrice]:
    rows = connection.execute(text("SELECT * FROM marks WHERE cycle_t = :cycle"), {"cycle": cycle})
    return {
        row.instrument_id: KnownPrice(price=Price(row.price), source=f"mark {row.source}", observed_at=row.observed_at)
        for row in rows
    }
