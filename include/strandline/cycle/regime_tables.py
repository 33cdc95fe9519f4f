"""Reads and writes the market's series."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, text

from strandline.cycle.regime_series import Place, SteppedBar
from strandline.model.regime import Phase, RegimeSeries
from strandline.model.timeframe import Timeframe
from strandline.pm.phases import PhaseHeld


class Cursor(NamedTuple):
    """A series and how far it is stepped: its members' bars up to `bar_ts`, as far as they were known by then."""

    series: RegimeSeries
    timeframe: Timeframe
    generation: int
    made_with: str | None
    known_seq: int
    bar_ts: datetime


def lock_series(connection: Connection, series: Sequence[tuple[RegimeSeries, Timeframe]]) -> list[Cursor]:
    """Lock these series, in one order: concurrent runs wait for each other and never deadlock."""
    for name, timeframe in series:
        connection.execute(
            text("INSERT INTO regime_states (series, timeframe) VALUES (:series, :timeframe) ON CONFLICT DO NOTHING"),
            {"series": name.value, "timeframe": timeframe.value},
        )
    rows = connection.execute(
        text("""
        SELECT series::text, timeframe::text, generation, made_with, known_seq, bar_ts
        FROM regime_states ORDER BY series, timeframe FOR UPDATE
        """)
    )
    return [Cursor(RegimeSeries(series), Timeframe(timeframe), *rest) for series, timeframe, *rest in rows]


def place_before(connection: Connection, cursor: Cursor, ts: datetime, window: int) -> Place | None:
    """The place after the newest bar before `ts`; None if there is no bar, or its state is not stored any more."""
    rows = connection.execute(
        text("""
        SELECT DISTINCT ON (ts) ts, close, high, low, bar_count, phase::text, shown_phase::text, shown_bars, input_hash,
               state_bytes
        FROM regime_bars
        WHERE series = CAST(:series AS regime_series) AND timeframe = CAST(:timeframe AS timeframe)
          AND generation = :generation AND ts < :before
        ORDER BY ts DESC, revision DESC LIMIT :window
        """),
        {**_key(cursor), "before": ts, "window": window},
    ).all()
    if not rows or rows[0].state_bytes is None:
        return None
    newest = rows[0]
    return Place(
        ts=newest.ts,
        level=newest.close,
        bar_count=newest.bar_count,
        held=PhaseHeld(Phase(newest.phase), Phase(newest.shown_phase), newest.shown_bars),
        input_hash=newest.input_hash,
        state=bytes(newest.state_bytes),
        highs=tuple(row.high for row in reversed(rows)),
        lows=tuple(row.low for row in reversed(rows)),
    )


def stored_after(connection: Connection, cursor: Cursor, ts: datetime) -> Mapping[datetime, tuple[int, str]]:
    """By start, the revision and the hash of each stored bar after `ts`."""
    rows = connection.execute(
        text("""
        SELECT DISTINCT ON (ts) ts, revision, input_hash FROM regime_bars
        WHERE series = CAST(:series AS regime_series) AND timeframe = CAST(:timeframe AS timeframe)
          AND generation = :generation AND ts > :after
        ORDER BY ts, revision DESC
        """),
        {**_key(cursor), "after": ts},
    )
    return {row.ts: (row.revision, row.input_hash) for row in rows}


def store(connection: Connection, cursor: Cursor, bars: Sequence[SteppedBar]) -> None:
    """Store the bars, and how far the series is stepped with them."""
    connection.execute(
        text("""
        INSERT INTO regime_bars (
          series, timeframe, generation, ts, revision, known_seq, open, high, low, close, volume, members, bar_count,
          at_low, drawdown, phase, shown_phase, shown_bars, input_hash, state_bytes, uptrend_engine_v4)
        SELECT :series, :timeframe, :generation, ts, revision, :known_seq, open, high, low, close, volume, members,
               bar_count, at_low, drawdown, phase, shown_phase, shown_bars, input_hash, state_bytes, signal
        FROM unnest(
          CAST(:ts AS timestamptz[]), CAST(:revision AS integer[]), CAST(:open AS double precision[]),
          CAST(:high AS double precision[]), CAST(:low AS double precision[]), CAST(:close AS double precision[]),
          CAST(:volume AS double precision[]), CAST(:members AS jsonb[]), CAST(:bar_count AS integer[]),
          CAST(:at_low AS boolean[]), CAST(:drawdown AS double precision[]),
          CAST(:phase AS market_phase[]), CAST(:shown_phase AS market_phase[]), CAST(:shown_bars AS integer[]),
          CAST(:input_hash AS text[]), CAST(:state_bytes AS bytea[]), CAST(:signal AS jsonb[])
        ) AS n (ts, revision, open, high, low, close, volume, members, bar_count, at_low, drawdown,
                phase, shown_phase, shown_bars, input_hash, state_bytes, signal)
        """),
        {**_key(cursor), "known_seq": cursor.known_seq, **_columns(bars)},
    )
    connection.execute(
        text("""
        UPDATE regime_states SET
          generation = :generation, made_with = :made_with, known_seq = :known_seq, bar_ts = :bar_ts
        WHERE (series, timeframe) = (CAST(:series AS regime_series), CAST(:timeframe AS timeframe))
        """),
        {**_key(cursor), "made_with": cursor.made_with, "known_seq": cursor.known_seq, "bar_ts": cursor.bar_ts},
    )


def _key(cursor: Cursor) -> dict[str, object]:
    return {"series": cursor.series.value, "timeframe": cursor.timeframe.value, "generation": cursor.generation}


def _columns(bars: Sequence[SteppedBar]) -> dict[str, list[Any]]:
    found = [one.new.market.bar for one in bars]
    return {
        "ts": [bar.ts for bar in found],
        "revision": [one.new.revision for one in bars],
        "open": [bar.open for bar in found],
        "high": [bar.high for bar in found],
        "low": [bar.low for bar in found],
        "close": [bar.close for bar in found],
        "volume": [bar.volume for bar in found],
        "members": [msgspec.json.encode(one.new.market.revisions).decode() for one in bars],
        "bar_count": [one.bar_count for one in bars],
        "at_low": [one.view.at_low for one in bars],
        "drawdown": [one.view.drawdown for one in bars],
        "phase": [one.held.phase.value for one in bars],
        "shown_phase": [one.held.shown.value for one in bars],
        "shown_bars": [one.held.bars for one in bars],
        "input_hash": [one.new.input_hash for one in bars],
        "state_bytes": [one.state for one in bars],
        "signal": [one.signal and msgspec.json.encode(one.signal).decode() for one in bars],
    }
