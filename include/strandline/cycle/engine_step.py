"""Steps every series through its new bars; the only writer of engine states and signals."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

import msgspec
from sqlalchemy import Connection, text
from sqlalchemy import Engine as Database

from strandline.cycle.engine_states import SteppedSeries, insert_new_series, read_series, store_states
from strandline.cycle.generations import adopt_generations, begin_late_generations
from strandline.cycle.resteps import go_back, keep_checkpoints, revised_series
from strandline.cycle.snapshot import in_snapshot
from strandline.engine import Bars, Engine, Series, as_bars, gap_number, takes_full_range, warm_up
from strandline.model.signal import Signal
from strandline.model.strategy import Strategy
from strandline.model.timeframe import Timeframe

_SIGNALS_OF_HISTORY: Final = 120
"""How many of the newest signals are stored in any case; older ones if the planner must still read them."""

_ROUND_BARS: Final = 20_000
"""How many bars are in memory at once, about, however long the engine did not run."""


class EngineRun(NamedTuple):
    """Counts of a run: series, new bars, new signals, series with enough bars for flags, and those stepped again."""

    series: int
    bars: int
    signals: int
    ready: int
    resteps: int = 0


class _NewBars(NamedTuple):
    """The bars that were not stepped yet: of each series how many there are, and how many the planner must read."""

    counts: list[int]
    unread: list[int]
    bars: Bars


def run_engine(database: Database, strategy: Strategy, cycle: datetime) -> EngineRun:
    """Step every series through its new final bars. Repeated or concurrent runs step each bar once.

    A series of which a bar was revised steps again from a state that was kept before that bar.
    """
    # Compiling takes longer than a transaction may stay idle; in a process that has compiled already it costs nothing.
    warm_up(strategy)
    engine = Engine(strategy)
    return in_snapshot(database, "engine_states", lambda connection: _run(connection, engine, cycle))


def _run(connection: Connection, engine: Engine, cycle: datetime) -> EngineRun:
    known_seq = _known_seq(connection)
    insert_new_series(connection, engine.new_state())
    series = _go_back_where_revised(connection, engine, cycle, known_seq)
    behind, bars, signals = series, 0, 0
    while behind:
        most = max(1, _ROUND_BARS // len(behind))
        new = _new_bars(connection, behind, cycle, most)
        signals += _step(connection, engine, behind, new)
        bars += len(new.bars.ts)
        behind = [one for one, count in zip(behind, new.counts, strict=True) if count == most]
    store_states(connection, series, known_seq)
    keep_checkpoints(connection, series)
    adopt_generations(connection)
    adopted = [one for one in series if one.adopted]
    resteps = sum(one.revised is not None for one in series)
    return EngineRun(len(adopted), bars, signals, sum(one.ready for one in adopted), resteps)


def _go_back_where_revised(
    connection: Connection, engine: Engine, cycle: datetime, known_seq: int
) -> list[SteppedSeries]:
    """Read the series: those with revised bars as they were before these, or, if that is forgotten, from the start."""
    series = read_series(connection)
    revised = revised_series(connection, series)
    forgotten = [one.series for one in revised if one.checkpoint is None]
    if begin_late_generations(connection, engine.new_state(), forgotten):
        series = read_series(connection)
    by_key = {one.series: one for one in series}
    for one in revised:
        if one.checkpoint is not None and one.series in by_key:
            go_back(connection, by_key[one.series], one, cycle, known_seq)
    return series


def _known_seq(connection: Connection) -> int:
    """The newest known_seq of the snapshot."""
    return connection.scalar(text("SELECT max(known_seq) FROM bars")) or 0


def _step(connection: Connection, engine: Engine, series: Sequence[SteppedSeries], new: _NewBars) -> int:
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
    signals = _new_signals(engine.signals(outputs, [one.series for one in stepped]), stepped)
    _store_signals(connection, signals)
    return len(signals)


def _new_signals(signals: Sequence[Signal], series: Sequence[SteppedSeries]) -> Sequence[Signal]:
    """In a restep: without those of the bars before the revised one, and with its number on those of stepped bars."""
    again = {one.series: one for one in series if one.revised is not None}
    if not again:
        return signals
    return [one for signal in signals if (one := _again(signal, again.get(_series(signal)))) is not None]


def _again(signal: Signal, series: SteppedSeries | None) -> Signal | None:
    if series is None or series.revised is None or series.stepped_until is None:
        return signal
    if signal.bar_ts < series.revised:
        return None
    return msgspec.structs.replace(signal, restep=series.restep) if signal.bar_ts <= series.stepped_until else signal


def _series(signal: Signal) -> Series:
    return Series(signal.instrument_id, signal.timeframe, signal.generation)


def _new_bars(connection: Connection, series: Sequence[SteppedSeries], cycle: datetime, most: int) -> _NewBars:
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
            "read_until": [one.unread_since for one in series],
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


def _store_signals(connection: Connection, signals: Iterable[Signal]) -> None:
    connection.execute(
        text("""
        INSERT INTO features (
          instrument_id, timeframe, ts, generation, restep, bar_revision, engine_version, input_hash,
          uptrend_engine_v4)
        SELECT (s->>'instrument_id')::integer, (s->>'timeframe')::timeframe, (s->>'bar_ts')::timestamptz,
               (s->>'generation')::integer, (s->>'restep')::integer, (s->>'bar_revision')::integer,
               s->>'engine_version', s->>'input_hash', s
        FROM unnest(CAST(:signals AS jsonb[])) AS s
        """),
        {"signals": [msgspec.json.encode(signal).decode() for signal in signals]},
    )
