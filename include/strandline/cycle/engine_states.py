"""Reads and writes the rows of engine_states: the state of each generation of each series, between two runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from strandline.engine import ENGINE_VERSION, Series, SeriesSummary
from strandline.model.timeframe import Timeframe


@dataclass
class SteppedSeries:
    """A generation of a series, as far as it is stepped.

    The planner has read its signals up to `read_until`. In a restep the bars from `revised` to `stepped_until` are
    stepped again; outside of one these are None, and `restep` is the number of the last one.
    """

    series: Series
    adopted: bool
    bar_ts: datetime
    bar_count: int
    read_until: datetime | None
    ready: bool
    restep: int
    state: bytes
    revised: datetime | None = None
    stepped_until: datetime | None = None
    summary: SeriesSummary | None = None

    @property
    def unread_since(self) -> datetime | None:
        """The bar after which all signals must be stored; None if nobody waits for them."""
        return self.read_until if self.revised is None else self.revised - self.series.timeframe.length


def insert_new_series(connection: Connection, state: bytes) -> None:
    """Insert a row for each series that may be traded and has none."""
    connection.execute(
        text("""
        INSERT INTO engine_states
          (instrument_id, timeframe, generation, adopted, engine_version, bar_count, bar_ts, bar_revision, state_bytes)
        SELECT DISTINCT i.instrument_id, p.timeframe, 1, true, :version, 0, 'epoch'::timestamptz, 0,
               CAST(:state AS bytea)
        FROM positions p JOIN instruments i USING (token_chain, book_id, token_contract)
        WHERE p.desired_status <> 'archived' AND NOT EXISTS (
          SELECT FROM engine_states s
          WHERE s.instrument_id = i.instrument_id AND s.timeframe = p.timeframe AND s.adopted)
        ORDER BY 1, 2
        """),
        {"version": ENGINE_VERSION, "state": state},
    )


def read_series(connection: Connection) -> list[SteppedSeries]:
    """Read every series that may be traded: the adopted generation, and the next one if it is not adopted yet."""
    rows = connection.execute(
        text("""
        SELECT s.instrument_id, s.timeframe, s.generation, s.adopted, s.bar_ts, s.bar_count, s.ready, s.restep,
               s.state_bytes, row.read_until
        FROM engine_states s JOIN (
          SELECT i.instrument_id, p.timeframe, min(planned.bar_ts) AS read_until
          FROM positions p JOIN instruments i USING (token_chain, book_id, token_contract)
          LEFT JOIN planner_state planned USING (position_id)
          WHERE p.desired_status <> 'archived' GROUP BY 1, 2
        ) AS row USING (instrument_id, timeframe)
        WHERE s.adopted OR s.generation = (
          SELECT max(n.generation) FROM engine_states n
          WHERE n.instrument_id = s.instrument_id AND n.timeframe = s.timeframe)
        ORDER BY s.instrument_id, s.timeframe, s.generation
        """)
    )
    return [
        SteppedSeries(
            Series(row.instrument_id, Timeframe(row.timeframe), row.generation),
            row.adopted,
            row.bar_ts,
            row.bar_count,
            row.read_until,
            row.ready,
            row.restep,
            bytes(row.state_bytes),
        )
        for row in rows
    ]


def store_states(connection: Connection, series: Sequence[SteppedSeries], known_seq: int) -> None:
    """Store the states that moved; of all series, that they have taken in what was known up to `known_seq`.

    The anchor is the first bar that there was when a series began, also if it was withheld.
    """
    moved = [(one, one.summary) for one in series if one.summary]
    connection.execute(
        text("""
        UPDATE engine_states s SET
          engine_version = :version, bar_count = n.bar_count, ready = n.ready, bar_ts = n.bar_ts,
          bar_revision = n.bar_revision, state = n.state, state_bytes = n.state_bytes, restep = n.restep,
          anchor = COALESCE(s.anchor, (
            SELECT min(b.ts) FROM bars b WHERE b.instrument_id = s.instrument_id AND b.timeframe = s.timeframe))
        FROM unnest(
          CAST(:instruments AS integer[]), CAST(:timeframes AS timeframe[]), CAST(:generations AS integer[]),
          CAST(:bar_counts AS integer[]), CAST(:ready AS boolean[]), CAST(:bar_ts AS timestamptz[]),
          CAST(:revisions AS integer[]), CAST(:states AS engine_state[]), CAST(:state_bytes AS bytea[]),
          CAST(:resteps AS integer[])
        ) AS n (instrument_id, timeframe, generation, bar_count, ready, bar_ts, bar_revision, state, state_bytes,
                restep)
        WHERE (s.instrument_id, s.timeframe, s.generation) = (n.instrument_id, n.timeframe, n.generation)
        """),
        _keys([one for one, _ in moved])
        | {
            "version": ENGINE_VERSION,
            "bar_counts": [summary.bar_count for _, summary in moved],
            "ready": [summary.ready for _, summary in moved],
            "bar_ts": [summary.bar_ts for _, summary in moved],
            "revisions": [summary.bar_revision for _, summary in moved],
            "states": [summary.state and summary.state.value for _, summary in moved],
            "state_bytes": [one.state for one, _ in moved],
            "resteps": [one.restep for one, _ in moved],
        },
    )
    connection.execute(
        text("""
        UPDATE engine_states s SET known_seq = :known_seq
        FROM unnest(CAST(:instruments AS integer[]), CAST(:timeframes AS timeframe[]), CAST(:generations AS integer[]))
          AS n (instrument_id, timeframe, generation)
        WHERE (s.instrument_id, s.timeframe, s.generation) = (n.instrument_id, n.timeframe, n.generation)
          AND s.known_seq < :known_seq
        """),
        _keys(series) | {"known_seq": known_seq},
    )


def _keys(series: Sequence[SteppedSeries]) -> dict[str, object]:
    return {
        "instruments": [one.series.instrument_id for one in series],
        "timeframes": [one.series.timeframe.value for one in series],
        "generations": [one.series.generation for one in series],
    }
