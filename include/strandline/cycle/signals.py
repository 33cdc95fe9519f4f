"""Reads the engine's signals for the planner."""

from collections.abc import Mapping
from datetime import datetime
from typing import TypeAlias

from sqlalchemy import Connection, text

from strandline.model.canonical import from_json
from strandline.model.signal import Signal
from strandline.model.timeframe import Timeframe

SeriesKey: TypeAlias = tuple[int, Timeframe]


def signals_since(
    connection: Connection, wanted: Mapping[SeriesKey, datetime | None], cycle: datetime
) -> Mapping[SeriesKey, tuple[Signal, ...]]:
    """Per series the signals of bars that start after the given instant, and in any case the newest, oldest first.

    Bars that are over at `cycle`, the adopted generation, and the newest revision of each bar only.
    """
    series = sorted(wanted)
    rows = connection.execute(
        text("""
        SELECT w.place, newest.signal::text
        FROM unnest(CAST(:instruments AS integer[]), CAST(:timeframes AS timeframe[]), CAST(:after AS timestamptz[]),
                    CAST(:until AS timestamptz[])) WITH ORDINALITY AS w (instrument_id, timeframe, after, until, place)
        JOIN engine_states s ON s.instrument_id = w.instrument_id AND s.timeframe = w.timeframe AND s.adopted
        CROSS JOIN LATERAL (
          SELECT max(f.ts) AS ts FROM features f
          WHERE f.instrument_id = w.instrument_id AND f.timeframe = w.timeframe AND f.generation = s.generation
            AND f.ts <= w.until
        ) AS last
        CROSS JOIN LATERAL (
          SELECT DISTINCT ON (f.ts) f.ts, f.uptrend_engine_v4 AS signal FROM features f
          WHERE f.instrument_id = w.instrument_id AND f.timeframe = w.timeframe AND f.generation = s.generation
            AND f.ts >= LEAST(last.ts, w.after + interval '1 microsecond') AND f.ts <= last.ts
          ORDER BY f.ts DESC, f.bar_revision DESC
        ) AS newest
        ORDER BY w.place, newest.ts
        """),
        {
            "instruments": [instrument_id for instrument_id, _ in series],
            "timeframes": [timeframe.value for _, timeframe in series],
            "after": [wanted[key] for key in series],
            "until": [timeframe.last_final(cycle) for _, timeframe in series],
        },
    )
    found: dict[SeriesKey, list[Signal]] = {key: [] for key in series}
    for place, signal in rows:
        found[series[place - 1]].append(from_json(signal, Signal))
    return {key: tuple(signals) for key, signals in found.items()}
