"""Steps every series through its new bars; the only writer of engine states and signals."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

import msgspec
from sqlalchemy import Connection, text
from sqlalchemy import Engine as Database

from strandline.cycle.generations import adopt_generations, begin_late_generations
from strandline.engine import (
    ENGINE_VERSION,
    Bars,
    Engine,
    Series,
    SeriesSummary,
    as_bars,
    gap_number,
    takes_full_range,
    warm_up,
)
from strandline.model.signal import Signal
from strandline.model.strategy import Strategy
from strandline.model.timeframe import Timeframe

_SIGNALS_OF_HISTORY: Final = 120
"""How many of the newest signals are stored in any case; older ones if the planner must still read them."""

_ROUND_BARS: Final = 20_000
"""How many bars are in memory at once, about, however long the engine did not run."""


class EngineRun(NamedTuple):
    """Counts of a run: series, new bars, new signals, and series with enough bars for flags."""

    series: int
    bars: int
    signals: int
    ready: int


@dataclass
class _Stepping:
    """A generation of a series, as far as it is stepped. The planner has read its signals up to `read_until`."""

    series: Series
    adopted: bool
    bar_ts: datetime
    read_until: datetime | None
    ready: bool
    state: bytes
    summary: SeriesSummary | None = None


class _NewBars(NamedTuple):
    """The bars that were not stepped yet: of each series how many there are, and how many the planner must read."""

    counts: list[int]
    unread: list[int]
    bars: Bars


def run_engine(database: Database, strategy: Strategy, cycle: datetime) -> EngineRun:
    """Step every series through its new final bars. Repeated or concurrent runs step each bar once.

    A later revision of a bar that was stepped changes nothing: a series only moves forward.
    """
    # Compiling takes longer than a transaction may stay idle; in a process that has compiled already it costs nothing.
    warm_up(strategy)
    engine = Engine(strategy)
    with database.begin() as connection:
        _insert_new_series(connection, engine.new_state())
        _lock_series(connection)
        begin_late_generations(connection, engine.new_state())
        series = behind = _read_series(connection)
        bars = signals = 0
        while behind:
            most = max(1, _ROUND_BARS // len(behind))
            new = _new_bars(connection, behind, cycle, most)
            signals += _step(connection, engine, behind, new)
            bars += len(new.bars.ts)
            behind = [one for one, count in zip(behind, new.counts, strict=True) if count == most]
        _store_states(connection, [one for one in series if one.summary])
        adopt_generations(connection)
    adopted = [one for one in series if one.adopted]
    return EngineRun(len(adopted), bars, signals, sum(one.ready for one in adopted))


def _step(connection: Connection, engine: Engine, series: Sequence[_Stepping], new: _NewBars) -> int:
    """Step these series through these bars, and store the signals; returns how many."""
    stepped = [one for one, count in zip(series, new.counts, strict=True) if count]
    keep = [
        max(unread, min(count, _SIGNALS_OF_HISTORY))
        for count, unread in zip(new.counts, new.unread, strict=True)
        if count
    ]
    states, outputs = engine.run_many(
        [one.state for one in stepped], new.bars, [count for count in new.counts if count], keep
    )
    for one, state, summary in zip(stepped, states, engine.summaries(outputs), strict=True):
        one.state, one.summary, one.bar_ts, one.ready = state, summary, summary.bar_ts, summary.ready
    signals = engine.signals(outputs, [one.series for one in stepped])
    _store_signals(connection, signals)
    return len(signals)


def _insert_new_series(connection: Connection, state: bytes) -> None:
    """Insert a row to lock for each series that may be traded and has none; concurrent runs insert it once."""
    connection.execute(
        text("""
        INSERT INTO engine_states
          (instrument_id, timeframe, generation, adopted, engine_version, bar_count, bar_ts, bar_revision, state_bytes)
        SELECT i.instrument_id, p.timeframe, 1, true, :version, 0, 'epoch', 0, :state
        FROM positions p JOIN instruments i USING (token_chain, book_id, token_contract)
        WHERE p.desired_status <> 'archived' AND NOT EXISTS (
          SELECT FROM engine_states s
          WHERE s.instrument_id = i.instrument_id AND s.timeframe = p.timeframe AND s.adopted)
        ORDER BY 1, 2
        ON CONFLICT DO NOTHING
        """),
        {"version": ENGINE_VERSION, "state": state},
    )


def _lock_series(connection: Connection) -> None:
    """Lock every series, in one order: concurrent runs wait for each other and never deadlock."""
    connection.execute(text("SELECT FROM engine_states ORDER BY instrument_id, timeframe, generation FOR UPDATE"))


def _read_series(connection: Connection) -> list[_Stepping]:
    """Read every series that may be traded: the adopted generation, and the next one if it is not adopted yet."""
    rows = connection.execute(
        text("""
        SELECT s.instrument_id, s.timeframe, s.generation, s.adopted, s.bar_ts, s.ready, s.state_bytes, row.read_until
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
        _Stepping(
            Series(row.instrument_id, Timeframe(row.timeframe), row.generation),
            row.adopted,
            row.bar_ts,
            row.read_until,
            row.ready,
            bytes(row.state_bytes),
        )
        for row in rows
    ]


def _new_bars(connection: Connection, series: Sequence[_Stepping], cycle: datetime, most: int) -> _NewBars:
    """The oldest final bars, at most so many of each series, that were not stepped yet and that the gate trusts.

    The gate checks what is new. In a history from before it one impossible bar must not stop the engine of all series:
    such a bar is left out as if it had been withheld.
    """
    rows = connection.execute(
        text("""
        WITH last_runs AS (
          SELECT DISTINCT ON (cycle_t, suite) quality_run_id FROM quality_runs
          WHERE succeeded AND suite <> 'signals' AND cycle_t > :since AND cycle_t <= :cycle
          ORDER BY cycle_t, suite, quality_run_id DESC),
        withheld AS (
          SELECT instrument_id, timeframe, ts FROM last_runs JOIN quality_findings USING (quality_run_id)
          WHERE severity = 'block_all' AND ts IS NOT NULL)
        SELECT s.place, s.timeframe, b.ts > s.read_until AS unread, b.gap_type, b.gap_magnitude_pct,
               (extract(epoch FROM b.ts) * 1000000)::bigint AS micros,
               b.revision, b.open, b.high, b.low, b.close, b.volume
        FROM unnest(CAST(:instruments AS integer[]), CAST(:timeframes AS timeframe[]), CAST(:after AS timestamptz[]),
                    CAST(:until AS timestamptz[]), CAST(:read_until AS timestamptz[]))
          WITH ORDINALITY AS s (instrument_id, timeframe, after, until, read_until, place)
        CROSS JOIN LATERAL (
          SELECT * FROM bars b
          WHERE b.instrument_id = s.instrument_id AND b.timeframe = s.timeframe AND b.ts > s.after AND b.ts <= s.until
            AND b.low > 0 AND b.low <= LEAST(b.open, b.close) AND b.high >= GREATEST(b.open, b.close)
            AND b.high < 'Infinity' AND COALESCE(b.volume >= 0 AND b.volume < 'Infinity', true)
            AND abs(b.gap_magnitude_pct) < 'Infinity'
            AND NOT EXISTS (
              SELECT FROM withheld w
              WHERE w.instrument_id = b.instrument_id AND w.timeframe = b.timeframe AND w.ts = b.ts)
          ORDER BY b.ts LIMIT :most
        ) AS b
        ORDER BY s.place, b.ts
        """),
        {
            "cycle": cycle,
            "since": min(one.bar_ts for one in series),
            "instruments": [one.series.instrument_id for one in series],
            "timeframes": [one.series.timeframe.value for one in series],
            "after": [one.bar_ts for one in series],
            "until": [one.series.timeframe.last_final(cycle) for one in series],
            "read_until": [one.read_until for one in series],
            "most": most,
        },
    ).all()
    counts = Counter(row.place for row in rows)
    unread = Counter(row.place for row in rows if row.unread)
    places = range(1, len(series) + 1)
    columns = list(zip(*(row[5:] for row in rows), strict=True)) or [()] * 7
    bars = as_bars(
        *columns,
        [gap_number(row.gap_type) for row in rows],
        [row.gap_magnitude_pct for row in rows],
        [takes_full_range(Timeframe(row.timeframe)) for row in rows],
    )
    return _NewBars([counts[place] for place in places], [unread[place] for place in places], bars)


def _store_states(connection: Connection, stepped: Sequence[_Stepping]) -> None:
    """Store the states. The anchor is the first bar that there was when a series began, also if it was withheld."""
    summaries = [one.summary for one in stepped if one.summary]
    connection.execute(
        text("""
        UPDATE engine_states s SET
          engine_version = :version, bar_count = n.bar_count, ready = n.ready, bar_ts = n.bar_ts,
          bar_revision = n.bar_revision, state = n.state, state_bytes = n.state_bytes,
          anchor = COALESCE(s.anchor, (
            SELECT min(b.ts) FROM bars b WHERE b.instrument_id = s.instrument_id AND b.timeframe = s.timeframe))
        FROM unnest(
          CAST(:instruments AS integer[]), CAST(:timeframes AS timeframe[]), CAST(:generations AS integer[]),
          CAST(:bar_counts AS integer[]), CAST(:ready AS boolean[]), CAST(:bar_ts AS timestamptz[]),
          CAST(:revisions AS integer[]), CAST(:states AS engine_state[]), CAST(:state_bytes AS bytea[])
        ) AS n (instrument_id, timeframe, generation, bar_count, ready, bar_ts, bar_revision, state, state_bytes)
        WHERE (s.instrument_id, s.timeframe, s.generation) = (n.instrument_id, n.timeframe, n.generation)
        """),
        {
            "version": ENGINE_VERSION,
            "instruments": [one.series.instrument_id for one in stepped],
            "timeframes": [one.series.timeframe.value for one in stepped],
            "generations": [one.series.generation for one in stepped],
            "bar_counts": [summary.bar_count for summary in summaries],
            "ready": [summary.ready for summary in summaries],
            "bar_ts": [summary.bar_ts for summary in summaries],
            "revisions": [summary.bar_revision for summary in summaries],
            "states": [summary.state and summary.state.value for summary in summaries],
            "state_bytes": [one.state for one in stepped],
        },
    )


def _store_signals(connection: Connection, signals: Iterable[Signal]) -> None:
    connection.execute(
        text("""
        INSERT INTO features (
          instrument_id, timeframe, ts, generation, bar_revision, engine_version, input_hash, uptrend_engine_v4)
        SELECT (s->>'instrument_id')::integer, (s->>'timeframe')::timeframe, (s->>'bar_ts')::timestamptz,
               (s->>'generation')::integer, (s->>'bar_revision')::integer, s->>'engine_version', s->>'input_hash', s
        FROM unnest(CAST(:signals AS jsonb[])) AS s
        """),
        {"signals": [msgspec.json.encode(signal).decode() for signal in signals]},
    )
