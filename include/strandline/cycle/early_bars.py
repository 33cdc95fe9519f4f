"""Undoes what was done with bars that were taken for final before they were over.

The rollup rebuilds such a bar by itself when the rest of its ticks comes. The engine steps no bar twice, and the
planner reads no signal twice, so both are set back to before the bar.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, text

from strandline.cycle.generations import begin_generations
from strandline.engine import Series
from strandline.model.timeframe import Timeframe


class EarlyBar(NamedTuple):
    """A series and the first bar that it stepped too early."""

    series: Series
    bar_ts: datetime


def step_early_bars_again(connection: Connection, cycle: datetime, now: datetime, state: bytes) -> int:
    """Begin anew the series that stepped an unfinished bar for this cycle; return their number."""
    early = list(_early_bars(connection, cycle, now))
    begin_generations(connection, [bar.series for bar in early], state)
    _set_planner_back(connection, early)
    return len(early)


def _early_bars(connection: Connection, cycle: datetime, now: datetime) -> Iterator[EarlyBar]:
    """Bars in which the cycle's own run began, and bars that changed after it had planned, whatever the clock said.

    Locks the series, in the engine's own order.
    """
    rows = connection.execute(
        text("""
        SELECT s.instrument_id, s.timeframe::text, s.generation, early.ts
        FROM engine_states s
        JOIN unnest(CAST(:timeframes AS timeframe[]), CAST(:lengths AS interval[])) AS l (timeframe, length)
          ON l.timeframe = s.timeframe
        CROSS JOIN (
          SELECT known_seq, LEAST(:now, decided_at, (SELECT min(started_at) FROM runs WHERE cycle_t = :cycle)) AS began
          FROM cycles WHERE cycle_t = :cycle
        ) AS c
        CROSS JOIN LATERAL (
          SELECT min(b.ts) AS ts FROM bars b
          WHERE b.instrument_id = s.instrument_id AND b.timeframe = s.timeframe AND b.ts BETWEEN s.anchor AND s.bar_ts
            AND b.ts + l.length <= :cycle
            AND (b.ts <= c.began AND b.ts + l.length > c.began OR b.revision > 0 AND b.known_seq > c.known_seq)
        ) AS early
        WHERE s.adopted AND early.ts IS NOT NULL
        ORDER BY s.instrument_id, s.timeframe
        FOR UPDATE OF s
        """),
        {
            "cycle": cycle,
            "now": now,
            "timeframes": [timeframe.value for timeframe in Timeframe],
            "lengths": [timeframe.length for timeframe in Timeframe],
        },
    )
    for row in rows:
        yield EarlyBar(Series(row.instrument_id, Timeframe(row.timeframe), row.generation), row.ts)


def _set_planner_back(connection: Connection, early: Sequence[EarlyBar]) -> None:
    """Let the planner read the signals from the early bar on again, and forget the exit that one of them made due.

    Not for a row that wanted to buy by one of them: planned again, that intent would have the same id.
    """
    if not early:
        return
    connection.execute(
        text("""
        UPDATE planner_state s SET
          bar_ts = LEAST(s.bar_ts, :bar_ts - CAST(:length AS interval)), bar_revision = 0,
          exit_due = CASE WHEN exit_due_bar < :bar_ts THEN exit_due END,
          exit_due_bar = CASE WHEN exit_due_bar < :bar_ts THEN exit_due_bar END
        FROM positions p JOIN instruments i USING (token_chain, book_id, token_contract)
        WHERE p.position_id = s.position_id AND i.instrument_id = :instrument AND p.timeframe::text = :timeframe
          AND s.bar_ts >= :bar_ts AND NOT EXISTS (
            SELECT FROM intents n WHERE n.position_id = s.position_id AND n.side = 'buy' AND n.source_bar >= :bar_ts)
        """),
        [
            {
                "bar_ts": bar.bar_ts,
                "length": bar.series.timeframe.length,
                "instrument": bar.series.instrument_id,
                "timeframe": bar.series.timeframe.value,
            }
            for bar in early
        ],
    )
