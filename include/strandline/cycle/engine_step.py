"""Steps every series to the end of a cycle; the only writer of engine states and signals."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import accumulate
from typing import Final, NamedTuple

import msgspec
from sqlalchemy import Connection, text
from sqlalchemy import Engine as Database

from strandline.engine import ENGINE_VERSION, Bars, Engine, Progress, Series, as_bars, ignores_jump, warm_up
from strandline.engine.bars import instant
from strandline.model.bar import GapType
from strandline.model.signal import Signal
from strandline.model.strategy import Strategy
from strandline.model.timeframe import Timeframe

# Of a long history only the newest signals are stored: nobody may act on an older one, and replay makes its own.
_SIGNALS_KEPT: Final = 120


class EngineRun(NamedTuple):
    """What a run did: its series, what was new to them, and how many have bars enough for flags."""

    series: int
    bars: int
    signals: int
    ready: int


class _Held(NamedTuple):
    """A series whose row is locked."""

    series: Series
    bar_ts: datetime
    ready: bool
    memory: bytes


def run_engine(database: Database, strategy: Strategy, cycle: datetime) -> EngineRun:
    """Take in every final bar that is new. Done twice, or by two at once, each bar is stepped once.

    A revision of a bar that was stepped before changes nothing: a series only moves forward.
    """
    # Compiling takes longer than a transaction may stay idle; in a process that is warm it costs nothing.
    warm_up(strategy)
    engine = Engine(strategy)
    with database.begin() as connection:
        _adopt_new_series(connection, engine.fresh())
        _begin_again(connection, engine.fresh())
        held = _lock_series(connection)
        counts, bars = _new_bars(connection, held, cycle)
        moved = [one for one, count in zip(held, counts, strict=True) if count]
        memories, outputs = engine.run_many(
            [one.memory for one in moved], bars, [count for count in counts if count], _SIGNALS_KEPT
        )
        signals = engine.signals(outputs, [one.series for one in moved])
        reached = engine.progress(outputs)
        _store_states(connection, [one.series for one in moved], _first_bars(counts, bars), reached, memories)
        _store_signals(connection, signals)
    ready = {one.series for one in held if one.ready} | {
        one.series for one, now in zip(moved, reached, strict=True) if now.ready
    }
    return EngineRun(len(held), len(bars.ts), len(signals), len(ready))


def _adopt_new_series(connection: Connection, memory: bytes) -> None:
    """A row to lock for each series that may be traded and has none; whoever comes second finds it."""
    connection.execute(
        text("""
        INSERT INTO engine_states
          (instrument_id, timeframe, generation, adopted, engine_version, bar_count, bar_ts, bar_revision, memory)
        SELECT i.instrument_id, p.timeframe, 1, true, :version, 0, 'epoch', 0, :memory
        FROM positions p JOIN instruments i USING (token_chain, book_id, token_contract)
        WHERE p.desired_status <> 'archived' AND NOT EXISTS (
          SELECT FROM engine_states s
          WHERE s.instrument_id = i.instrument_id AND s.timeframe = p.timeframe AND s.adopted)
        ORDER BY 1, 2
        ON CONFLICT DO NOTHING
        """),
        {"version": ENGINE_VERSION, "memory": memory},
    )


def _begin_again(connection: Connection, memory: bytes) -> None:
    """History that came after a series had begun makes a new generation, as long as the old one may not trade yet."""
    begun = connection.execute(
        text("""
        UPDATE engine_states s SET adopted = false
        WHERE adopted AND NOT ready AND EXISTS (
          SELECT FROM bars b
          WHERE b.instrument_id = s.instrument_id AND b.timeframe = s.timeframe AND b.ts < s.anchor)
        RETURNING instrument_id, timeframe::text, generation
        """)
    ).all()
    if begun:
        connection.execute(
            text("""
            INSERT INTO engine_states
              (instrument_id, timeframe, generation, adopted, engine_version, bar_count, bar_ts, bar_revision, memory)
            VALUES (:instrument, CAST(:timeframe AS timeframe), :generation + 1, true, :version, 0, 'epoch', 0, :memory)
            """),
            [
                {
                    "instrument": row.instrument_id,
                    "timeframe": row.timeframe,
                    "generation": row.generation,
                    "version": ENGINE_VERSION,
                    "memory": memory,
                }
                for row in begun
            ],
        )


def _lock_series(connection: Connection) -> list[_Held]:
    """Every series that may be traded, locked in one order: two runs wait for each other and never deadlock."""
    rows = connection.execute(
        text("""
        SELECT s.instrument_id, s.timeframe, s.generation, s.bar_ts, s.ready, s.memory FROM engine_states s
        WHERE s.adopted AND EXISTS (
          SELECT FROM positions p JOIN instruments i USING (token_chain, book_id, token_contract)
          WHERE p.desired_status <> 'archived' AND i.instrument_id = s.instrument_id AND p.timeframe = s.timeframe)
        ORDER BY s.instrument_id, s.timeframe
        FOR UPDATE OF s
        """)
    )
    return [
        _Held(
            Series(row.instrument_id, Timeframe(row.timeframe), row.generation),
            row.bar_ts,
            row.ready,
            bytes(row.memory),
        )
        for row in rows
    ]


def _new_bars(connection: Connection, held: Sequence[_Held], cycle: datetime) -> tuple[list[int], Bars]:
    """What is final and was not stepped yet, less what the gate withheld; and how many of them each series has."""
    rows = connection.execute(
        text("""
        WITH last_runs AS (
          SELECT DISTINCT ON (cycle_t, suite) quality_run_id FROM quality_runs
          WHERE succeeded AND cycle_t > :since AND cycle_t <= :cycle
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
            "since": min((one.bar_ts for one in held), default=cycle),
            "instruments": [one.series.instrument_id for one in held],
            "timeframes": [one.series.timeframe.value for one in held],
            "after": [one.bar_ts for one in held],
            "until": [one.series.timeframe.last_final(cycle) for one in held],
        },
    ).all()
    per_series = Counter(row.place for row in rows)
    jumps = [ignores_jump(Timeframe(row.timeframe), row.gap_type and GapType(row.gap_type)) for row in rows]
    columns = list(zip(*(row[3:] for row in rows), strict=True)) or [()] * 7
    return [per_series[place] for place in range(1, len(held) + 1)], as_bars(*columns, jumps)


def _first_bars(counts: Sequence[int], bars: Bars) -> list[datetime]:
    """Of each series that has some."""
    starts = [end - count for end, count in zip(accumulate(counts), counts, strict=True) if count]
    return [instant(int(bars.ts[start])) for start in starts]


def _store_states(
    connection: Connection,
    series: Sequence[Series],
    firsts: Sequence[datetime],
    reached: Sequence[Progress],
    memories: Sequence[bytes],
) -> None:
    connection.execute(
        text("""
        UPDATE engine_states s SET
          engine_version = :version, bar_count = n.bar_count, ready = n.ready, bar_ts = n.bar_ts,
          bar_revision = n.bar_revision, state = n.state, memory = n.memory, anchor = COALESCE(s.anchor, n.first)
        FROM unnest(
          CAST(:instruments AS integer[]), CAST(:timeframes AS timeframe[]), CAST(:generations AS integer[]),
          CAST(:bar_counts AS integer[]), CAST(:ready AS boolean[]), CAST(:bar_ts AS timestamptz[]),
          CAST(:revisions AS integer[]), CAST(:states AS engine_state[]), CAST(:memories AS bytea[]),
          CAST(:firsts AS timestamptz[])
        ) AS n (instrument_id, timeframe, generation, bar_count, ready, bar_ts, bar_revision, state, memory, first)
        WHERE (s.instrument_id, s.timeframe, s.generation) = (n.instrument_id, n.timeframe, n.generation)
        """),
        {
            "version": ENGINE_VERSION,
            "instruments": [one.instrument_id for one in series],
            "timeframes": [one.timeframe.value for one in series],
            "generations": [one.generation for one in series],
            "bar_counts": [now.bar_count for now in reached],
            "ready": [now.ready for now in reached],
            "bar_ts": [now.bar_ts for now in reached],
            "revisions": [now.bar_revision for now in reached],
            "states": [now.state and now.state.value for now in reached],
            "memories": list(memories),
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
