"""P: the price of a decision, and where it came from."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, text

from strandline.model.exact import Price
from strandline.model.mark import Mark
from strandline.model.position import Position
from strandline.model.strategy import Freshness
from strandline.model.timeframe import Timeframe


def trusted_prices(
    connection: Connection,
    cycle: datetime,
    instruments: Collection[int],
    freshness: Freshness,
    marks_of_cycle: Mapping[int, Mark],
) -> Mapping[int, Mark]:
    """P by instrument: the close of the newest final 1m bar if it is fresh, else the mark that this cycle fetched, else
    nothing. `instruments` are those whose bars the quality gate trusts."""
    return {**marks_of_cycle, **_closes(connection, cycle, instruments, freshness)}


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
) -> Mapping[int, Mark]:
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
        row.instrument_id: Mark(
            price=Price.from_float(row.close),
            source=f"1m bar {row.ts.isoformat()} revision {row.revision}",
            observed_at=row.ts + minute,
        )
        for row in rows
        if row.close > 0
    }
