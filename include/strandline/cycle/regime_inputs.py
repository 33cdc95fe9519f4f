"""Reads what the planner knows of the market."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from strandline.model.regime import MACRO, MESO, Phase, RegimeSeries
from strandline.model.signal import Flag
from strandline.model.timeframe import Timeframe
from strandline.pm.inputs import DriverInputs, PhaseInputs, RaisedFlags, RegimeInputs


def read_regime(connection: Connection, cycle: datetime, fade_bars: int) -> RegimeInputs:
    """The newest bars of each series that are over at the cycle: as many as a driver needs to fade."""
    index = _newest(connection, RegimeSeries.INDEX, MESO, cycle, fade_bars + 1)
    return RegimeInputs(
        meso=_phase(index),
        macro=_phase(_newest(connection, RegimeSeries.INDEX, MACRO, cycle, 1)),
        btc=_driver(_newest(connection, RegimeSeries.BTC, MESO, cycle, fade_bars + 1)),
        index=_driver(index),
    )


def _newest(
    connection: Connection, series: RegimeSeries, timeframe: Timeframe, cycle: datetime, count: int
) -> list[Row[Any]]:
    """The newest revision of so many bars, oldest first."""
    rows = connection.execute(
        text("""
        SELECT DISTINCT ON (ts) ts, revision, bar_count, phase, shown_phase, shown_bars,
               uptrend_engine_v4->>'state' AS state,
               ARRAY(SELECT jsonb_array_elements_text(uptrend_engine_v4->'flags')) AS flags
        FROM regime_bars
        WHERE series = CAST(:series AS regime_series) AND timeframe = CAST(:timeframe AS timeframe) AND ts <= :until
          AND generation = (
            SELECT generation FROM regime_states s
            WHERE s.series = CAST(:series AS regime_series) AND s.timeframe = CAST(:timeframe AS timeframe))
        ORDER BY ts DESC, revision DESC LIMIT :count
        """),
        {
            "series": series.value,
            "timeframe": timeframe.value,
            "until": timeframe.last_final(cycle),
            "count": count,
        },
    ).all()
    return list(reversed(rows))


def _phase(bars: list[Row[Any]]) -> PhaseInputs | None:
    """None before the series has a state: then nothing is known of its phase."""
    if not bars or bars[-1].state is None:
        return None
    newest = bars[-1]
    return PhaseInputs(
        bar_ts=newest.ts,
        bar_revision=newest.revision,
        phase=Phase(newest.phase),
        shown=Phase(newest.shown_phase),
        shown_bars=newest.shown_bars,
    )


def _driver(bars: list[Row[Any]]) -> DriverInputs | None:
    if not bars:
        return None
    newest = bars[-1]
    return DriverInputs(
        bar_ts=newest.ts,
        bar_revision=newest.revision,
        bar_count=newest.bar_count,
        raised=tuple(RaisedFlags(bar_ts=bar.ts, flags=tuple(map(Flag, bar.flags))) for bar in bars if bar.flags),
    )
