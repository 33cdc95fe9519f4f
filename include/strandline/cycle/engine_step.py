"""Steps every series through its new bars; the only writer of engine states and signals."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import accumulate
from typing import Final, NamedTuple

import msgspec
from sqlalchemy import Connection, text
from sqlalchemy import Engine as Database

from strandline.cycle.generations import begin_generations
from strandline.engine import ENGINE_VERSION, Bars, Engine, Series, SeriesSummary, as_bars, ignores_jump, warm_up
from strandline.engine.bars import instant
from strandline.model.bar import GapType
from strandline.model.signal import Signal
from strandline.model.strategy import Strategy
from strandline.model.timeframe import Timeframe

# Of a long history only the newest signals are stored: older ones may not be acted on, and replay makes its own.
_SIGNALS_KEPT: Final = 120


class EngineRun(NamedTuple):
    """Counts of a run: series, new bars, new signals, and series with enough bars for flags."""

    series: int
    bars: int
    signals: int
    ready: int


class _LockedSeries(NamedTuple):
    """A series whose row is locked."""

    series: Series
    bar_ts: datetime
    ready: bool
    state: bytes


def run_engine(database: Database, strategy: Strategy, cycle: datetime) -> EngineRun:
    """Step every series through its new final bars. Repeated or concurrent runs step each bar once.

    A later revision of a bar that was stepped changes nothing: a series only moves forward.
    """
    # Compiling takes longer than a transaction may stay idle; in a process that has compiled already it costs nothing.
    warm_up(strategy)
    engine = Engine(strategy)
    with database.begin() as connection:
        _insert_new_series(connection, engine.new_state())
        _restart_series(connection, engine.new_state())
        locked = _lock_series(connection)
        counts, bars = _new_bars(connection, locked, cycle)
        stepped = [one for one, count in zip(locked, counts, strict=True) if count]
        states, outputs = engine.run_many(
            [one.state for one in stepped], bars, [count for count in counts if count], _SIGNALS_KEPT
        )
        signals = engine.signals(outputs, [one.series for one in stepped])
        summaries = engine.summaries(outputs)
        _store_states(connection, [one.series for one in stepped], _first_bars(counts, bars), summaries, states)
        _store_signals(connection, signals)
    ready = {one.series for one in locked if one.ready} | {
        one.series for one, summary in zip(stepped, summaries, strict=True) if summary.ready
    }
    return EngineRun(len(locked), len(bars.ts), len(signals), len(ready))


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


def _restart_series(connection: Connection, state: bytes) -> None:
    """Start a new generation of each series that has bars from before its first one and is not ready to trade yet."""
    late = connection.execute(
        text("""
        SELECT instrument_id, timeframe::text, generation FROM engine_states s
        WHERE adopted AND NOT ready AND EXISTS (
          SELECT FROM bars b
          WHERE b.instrument_id = s.instrument_id AND b.timeframe = s.timeframe AND b.ts < s.anchor)
        ORDER BY instrument_id, s.timeframe FOR UPDATE
        """)
    )
    begin_generations(
        connection, [Series(row.instrument_id, Timeframe(row.timeframe), row.generation) for row in late], state
    )


def _lock_series(connection: Connection) -> list[_LockedSeries]:
    """Lock every series that may be traded, in one order: concurrent runs wait for each other and never deadlock."""
    rows = connection.execute(
        text("""
        SELECT s.instrument_id, s.timeframe, s.generation, s.bar_ts, s.ready, s.state_bytes FROM engine_states s
        WHERE s.adopted AND EXISTS (
          SELECT FROM positions p JOIN instruments i USING (token_chain, book_id, token_contract)
          WHERE p.desired_status <> 'archived' AND i.instrument_id = s.instrument_id AND p.timeframe = s.timeframe)
        ORDER BY s.instrument_id, s.timeframe
        FOR UPDATE OF s
        """)
    )
    return [
        _LockedSeries(
            Series(row.instrument_id, Timeframe(row.timeframe), row.generation),
            row.bar_ts,
            row.ready,
            bytes(row.state_bytes),
        )
        for row in rows
    ]


def _new_bars(connection: Connection, locked: Sequence[_LockedSeries], cycle: datetime) -> tuple[list[int], Bars]:
    """The final bars that were not stepped yet and are not withheld by the gate, and the number of them by series."""
    rows = connection.execute(
        text("""
        WITH last_runs AS (
          SELECT DISTINCT ON (cycle_t, suite) quality_run_id FROM quality_runs
          WHERE succeeded AND suite <> 'signals' AND cycle_t > :since AND cycle_t <= :cycle
          ORDER BY cycle_t, suite, quality_run_id DESC),
        withheld AS (
          SELECT instrument_id, timeframe, ts FROM last_runs JOIN quality_findings USING (quality_run_id)
          WHERE severity = 'block_all' AND ts IS NOT NULL)
        SELECT s.place, b.timeframe, b.gap_type, (extract(epoch FROM b.ts) * 1000000)::bigint AS micros,
               b.revision, b.open, b.high, b.low, b.close, b.volume
        FROM unnest(CAST(:instruments AS integer[]), CAST(:timeframes AS timeframe[]), CAST(:after AS timestamptz[]),
                    CAST(:until AS timestamptz[])) WITH ORDINALITY AS s (instrument_id, timeframe, after, until, place)
        JOIN bars b ON b.instrument_id = s.instrument_id AND b.timeframe = s.timeframe
                   AND b.ts > s.after AND b.ts <= s.until
        WHERE NOT EXISTS (
          SELECT FROM withheld w
          WHERE w.instrument_id = b.instrument_id AND w.timeframe = b.timeframe AND w.ts = b.ts)
        ORDER BY s.place, b.ts
        """),
        {
            "cycle": cycle,
            "since": min((one.bar_ts for one in locked), default=cycle),
            "instruments": [one.series.instrument_id for one in locked],
            "timeframes": [one.series.timeframe.value for one in locked],
            "after": [one.bar_ts for one in locked],
            "until": [one.series.timeframe.last_final(cycle) for one in locked],
        },
    ).all()
    per_series = Counter(row.place for row in rows)
    jumps = [ignores_jump(Timeframe(row.timeframe), row.gap_type and GapType(row.gap_type)) for row in rows]
    columns = list(zip(*(row[3:] for row in rows), strict=True)) or [()] * 7
    return [per_series[place] for place in range(1, len(locked) + 1)], as_bars(*columns, jumps)


def _first_bars(counts: Sequence[int], bars: Bars) -> list[datetime]:
    """The start of the first new bar of each series that has new bars."""
    starts = [end - count for end, count in zip(accumulate(counts), counts, strict=True) if count]
    return [instant(int(bars.ts[start])) for start in starts]


def _store_states(
    connection: Connection,
    series: Sequence[Series],
    firsts: Sequence[datetime],
    summaries: Sequence[SeriesSummary],
    states: Sequence[bytes],
) -> None:
    connection.execute(
        text("""
        UPDATE engine_states s SET
          engine_version = :version, bar_count = n.bar_count, ready = n.ready, bar_ts = n.bar_ts,
          bar_revision = n.bar_revision, state = n.state, state_bytes = n.state_bytes,
          anchor = COALESCE(s.anchor, n.first)
        FROM unnest(
          CAST(:instruments AS integer[]), CAST(:timeframes AS timeframe[]), CAST(:generations AS integer[]),
          CAST(:bar_counts AS integer[]), CAST(:ready AS boolean[]), CAST(:bar_ts AS timestamptz[]),
          CAST(:revisions AS integer[]), CAST(:states AS engine_state[]), CAST(:state_bytes AS bytea[]),
          CAST(:firsts AS timestamptz[])
        ) AS n (instrument_id, timeframe, generation, bar_count, ready, bar_ts, bar_revision, state, state_bytes, first)
        WHERE (s.instrument_id, s.timeframe, s.generation) = (n.instrument_id, n.timeframe, n.generation)
        """),
        {
            "version": ENGINE_VERSION,
            "instruments": [one.instrument_id for one in series],
            "timeframes": [one.timeframe.value for one in series],
            "generations": [one.generation for one in series],
            "bar_counts": [summary.bar_count for summary in summaries],
            "ready": [summary.ready for summary in summaries],
            "bar_ts": [summary.bar_ts for summary in summaries],
            "revisions": [summary.bar_revision for summary in summaries],
            "states": [summary.state and summary.state.value for summary in summaries],
            "state_bytes": list(states),
            "firsts": list(firsts),
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
