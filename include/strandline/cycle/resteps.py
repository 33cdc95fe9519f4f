"""Resteps: a series whose stepped bars were revised goes back to a state kept before them, and steps again."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, text

from strandline.cycle.engine_states import SteppedSeries
from strandline.engine import Series
from strandline.model.timeframe import Timeframe

CHECKPOINT_BARS: Final = 60
"""A state is kept about every so many bars."""

KEPT_CHECKPOINTS: Final = 24
"""So many of each series. A bar that is revised later than that begins a generation."""


class Revised(NamedTuple):
    """The first revised bar of a series, and the state that was kept before it; None if there is none any more."""

    series: Series
    since: datetime
    checkpoint: tuple[datetime, bytes] | None


def revised_series(connection: Connection, series: Sequence[SteppedSeries]) -> list[Revised]:
    """Find the series with bars that came or changed after they were stepped past.

    A revision that changes nothing of what the engine reads is none.
    """
    begun = [one.series for one in series if one.bar_count]
    keys = {
        "instruments": [one.instrument_id for one in begun],
        "timeframes": [one.timeframe.value for one in begun],
        "generations": [one.generation for one in begun],
    }
    # A number and not a subquery: only then Postgres knows how few bars are newer, and reads no others.
    known = connection.scalar(
        text("""
        SELECT min(known_seq) FROM engine_states
        JOIN unnest(CAST(:instruments AS integer[]), CAST(:timeframes AS timeframe[]), CAST(:generations AS integer[]))
          AS n (instrument_id, timeframe, generation) USING (instrument_id, timeframe, generation)
        """),
        keys,
    )
    rows = connection.execute(
        text("""
        WITH begun AS (
          SELECT s.* FROM unnest(CAST(:instruments AS integer[]), CAST(:timeframes AS timeframe[]),
                                 CAST(:generations AS integer[])) AS n (instrument_id, timeframe, generation)
          JOIN engine_states s USING (instrument_id, timeframe, generation)
        ), revised AS (
          SELECT s.instrument_id, s.timeframe, s.generation, min(b.ts) AS since
          FROM bars b JOIN begun s USING (instrument_id, timeframe)
          WHERE b.known_seq > :known
            AND b.known_seq > s.known_seq AND b.ts BETWEEN s.anchor AND s.bar_ts
            AND (b.open, b.high, b.low, b.close, b.volume, b.gap_type, b.gap_magnitude_pct) IS DISTINCT FROM (
              SELECT (r.open, r.high, r.low, r.close, r.volume, r.gap_type, r.gap_magnitude_pct)
              FROM bar_revisions r
              WHERE (r.instrument_id, r.timeframe, r.ts) = (b.instrument_id, b.timeframe, b.ts)
                AND r.known_seq <= s.known_seq
              ORDER BY r.revision DESC LIMIT 1)
          GROUP BY 1, 2, 3
        )
        SELECT r.*, c.bar_ts, c.state_bytes FROM revised r
        LEFT JOIN LATERAL (
          SELECT bar_ts, state_bytes FROM engine_checkpoints c
          WHERE (c.instrument_id, c.timeframe, c.generation) = (r.instrument_id, r.timeframe, r.generation)
            AND c.bar_ts < r.since
          ORDER BY bar_ts DESC LIMIT 1
        ) AS c ON true
        ORDER BY r.instrument_id, r.timeframe, r.generation
        """),
        keys | {"known": known or 0},
    )
    return [
        Revised(
            Series(row.instrument_id, Timeframe(row.timeframe), row.generation),
            row.since,
            None if row.bar_ts is None else (row.bar_ts, bytes(row.state_bytes)),
        )
        for row in rows
    ]


def go_back(connection: Connection, series: SteppedSeries, revised: Revised, cycle: datetime, known_seq: int) -> None:
    """Set a series back to the state before its first revised bar. What was kept after that bar is dropped."""
    if revised.checkpoint is None:
        raise ValueError(f"{revised.series} has no state from before {revised.since}")
    series.revised, series.stepped_until = revised.since, series.bar_ts
    series.bar_ts, series.state = revised.checkpoint
    series.restep += 1
    row = _key(series.series) | {"since": series.revised, "until": series.stepped_until}
    connection.execute(
        text("""
        DELETE FROM engine_checkpoints
        WHERE (instrument_id, timeframe, generation) = (:instrument, CAST(:timeframe AS timeframe), :generation)
          AND bar_ts >= :since
        """),
        row,
    )
    connection.execute(
        text("""
        INSERT INTO resteps (instrument_id, timeframe, generation, restep, cycle_t, known_seq, since, until)
        VALUES (:instrument, CAST(:timeframe AS timeframe), :generation, :restep, :cycle, :known_seq, :since, :until)
        """),
        row | {"restep": series.restep, "cycle": cycle, "known_seq": known_seq},
    )


def keep_checkpoints(connection: Connection, series: Sequence[SteppedSeries]) -> None:
    """Keep the state of each series that has moved past the next multiple of bars, and forget its oldest ones."""
    due = [
        _key(one.series) | {"bar_ts": one.summary.bar_ts, "bar_count": one.summary.bar_count, "state": one.state}
        for one in series
        if one.summary and one.summary.bar_count // CHECKPOINT_BARS > one.bar_count // CHECKPOINT_BARS
    ]
    if not due:
        return
    connection.execute(
        text("""
        INSERT INTO engine_checkpoints (instrument_id, timeframe, generation, bar_ts, bar_count, state_bytes)
        VALUES (:instrument, CAST(:timeframe AS timeframe), :generation, :bar_ts, :bar_count, :state)
        """),
        due,
    )
    connection.execute(
        text("""
        DELETE FROM engine_checkpoints
        WHERE (instrument_id, timeframe, generation) = (:instrument, CAST(:timeframe AS timeframe), :generation)
          AND bar_ts <= (
            SELECT bar_ts FROM engine_checkpoints
            WHERE (instrument_id, timeframe, generation) = (:instrument, CAST(:timeframe AS timeframe), :generation)
            ORDER BY bar_ts DESC OFFSET :kept LIMIT 1)
        """),
        [one | {"kept": KEPT_CHECKPOINTS} for one in due],
    )


def _key(series: Series) -> dict[str, object]:
    return {
        "instrument": series.instrument_id,
        "timeframe": series.timeframe.value,
        "generation": series.generation,
    }
