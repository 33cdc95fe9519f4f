"""Reads the engine's signals for the planner."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

from msgspec import ValidationError
from sqlalchemy import Connection, Row, text

from strandline.model.canonical import from_json
from strandline.model.signal import Signal
from strandline.model.timeframe import Timeframe
from strandline.pm.inputs import PlannerState

SeriesKey: TypeAlias = tuple[int, Timeframe]


class SeriesSignals(NamedTuple):
    """Signals by series, oldest first, and the series that also have one which cannot be read: a number is missing."""

    by_series: Mapping[SeriesKey, tuple[Signal, ...]]
    unreadable: frozenset[SeriesKey]


def signals_since(
    connection: Connection, wanted: Mapping[SeriesKey, datetime | None], cycle: datetime
) -> SeriesSignals:
    """Per series the signals of bars that start after the given instant, and in any case the newest.

    Bars that are over at `cycle`, the adopted generation, and the newest revision of each bar only. One that cannot be
    read is left out: it must not keep other rows from their exits.
    """
    series = sorted(wanted)
    rows = connection.execute(
        text("""
        SELECT w.place, newest.signal::text AS signal
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
          ORDER BY f.ts DESC, f.restep DESC
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
    return _read(series, rows)


def revised_signals(connection: Connection, planned: Mapping[SeriesKey, PlannerState]) -> SeriesSignals:
    """Per series what its resteps have made anew, since the planner looked last, of bars up to its cursor.

    In a generation that the planner has not planned on yet there are none.
    """
    series = sorted(planned)
    rows = connection.execute(
        text("""
        SELECT w.place, newest.signal::text AS signal
        FROM unnest(CAST(:instruments AS integer[]), CAST(:timeframes AS timeframe[]), CAST(:generations AS integer[]),
                    CAST(:until AS timestamptz[]), CAST(:resteps AS integer[]))
          WITH ORDINALITY AS w (instrument_id, timeframe, generation, until, restep, place)
        JOIN engine_states s USING (instrument_id, timeframe, generation)
        CROSS JOIN LATERAL (
          SELECT min(r.since) AS since FROM resteps r
          WHERE (r.instrument_id, r.timeframe, r.generation) = (w.instrument_id, w.timeframe, w.generation)
            AND r.restep > w.restep
        ) AS first
        CROSS JOIN LATERAL (
          SELECT DISTINCT ON (f.ts) f.ts, f.uptrend_engine_v4 AS signal FROM features f
          WHERE f.instrument_id = w.instrument_id AND f.timeframe = w.timeframe AND f.generation = w.generation
            AND f.ts BETWEEN first.since AND w.until AND f.restep > w.restep
          ORDER BY f.ts, f.restep DESC
        ) AS newest
        WHERE s.adopted AND s.restep > w.restep
        ORDER BY w.place, newest.ts
        """),
        {
            "instruments": [instrument_id for instrument_id, _ in series],
            "timeframes": [timeframe.value for _, timeframe in series],
            "generations": [planned[key].generation for key in series],
            "until": [planned[key].bar_ts for key in series],
            "resteps": [planned[key].restep for key in series],
        },
    )
    return _read(series, rows)


def _read(series: Sequence[SeriesKey], rows: Iterable[Row[Any]]) -> SeriesSignals:
    """Read the signals of each series, which the rows name by its place, from 1."""
    found: dict[SeriesKey, list[Signal]] = {key: [] for key in series}
    unreadable = set()
    for row in rows:
        key = series[row.place - 1]
        try:
            found[key].append(from_json(row.signal, Signal))
        except ValidationError:
            unreadable.add(key)
    return SeriesSignals({key: tuple(signals) for key, signals in found.items()}, frozenset(unreadable))
