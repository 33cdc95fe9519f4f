"""What the engine made of bars."""

from typing import Any, Final

import pandas as pd  # type: ignore[import-untyped]

from strandline.engine.results import INDICATORS, SCORES, TERMS
from strandline.frames.columns import BOOL, FLOAT, INSTANT, INT, TEXT, Kind, frame
from strandline.frames.database import fetch
from strandline.frames.market import timeframe_of
from strandline.frames.names import find_instrument
from strandline.frames.ranges import Instant, range_of
from strandline.model.bar import GapType
from strandline.model.signal import EngineState, Flag

# Of a bar that was stepped again the newest signal counts, of several generations the one that is traded by.
_SIGNALS: Final = """
    SELECT DISTINCT ON (f.ts) {columns}
    FROM features f
    JOIN engine_states s USING (instrument_id, timeframe, generation)
    CROSS JOIN LATERAL jsonb_to_record(f.uptrend_engine_v4) AS x (
      state text, state_since timestamptz, attempt_id timestamptz, trend_id timestamptz, exit_reason text,
      ended_by text, bar_count integer, gap_detected boolean, gap_magnitude_pct double precision, gap_type text,
      flags jsonb, indicators jsonb, scores jsonb, terms jsonb, levels jsonb)
    WHERE f.instrument_id = :instrument AND f.timeframe = :timeframe AND f.ts >= :start AND f.ts < :end
      AND CASE WHEN CAST(:generation AS integer) IS NULL THEN s.adopted ELSE f.generation = :generation END
    ORDER BY f.ts, f.restep DESC
"""
_EXIT_REASONS: Final = ("trend_failed", "trend_over")
_SIGNAL: Final[dict[str, Kind]] = {
    "ts": INSTANT,
    "state": EngineState,
    "state_since": INSTANT,
    "attempt_id": INSTANT,
    "trend_id": INSTANT,
    "exit_reason": _EXIT_REASONS,
    "ended_by": _EXIT_REASONS,
    "bar_count": INT,
    "generation": INT,
    "bar_revision": INT,
    "restep": INT,
    "engine_version": TEXT,
    **{flag.value: BOOL for flag in Flag},
}
_FEATURE: Final[dict[str, Kind]] = {
    "ts": INSTANT,
    "state": EngineState,
    "levels": INT,
    "gap_detected": BOOL,
    "gap_magnitude_pct": FLOAT,
    "gap_type": GapType,
}


def signals(
    symbol: str,
    timeframe: str,
    start: Instant,
    end: Instant,
    *,
    venue: str | None = None,
    generation: int | None = None,
) -> pd.DataFrame:
    """State and flags of each bar, with a column for each flag.

    They are those of the generation of the engine's state that is traded by, unless another is named.
    """
    flags = ", ".join(f"x.flags ? '{flag.value}'" for flag in Flag)
    rows = _rows(
        symbol,
        timeframe,
        start,
        end,
        venue,
        generation,
        "f.ts, x.state, x.state_since, x.attempt_id, x.trend_id, x.exit_reason, x.ended_by, x.bar_count, f.generation, "
        f"f.bar_revision, f.restep, f.engine_version, {flags}",
    )
    return frame(_SIGNAL, rows)


def features(
    symbol: str,
    timeframe: str,
    start: Instant,
    end: Instant,
    *,
    venue: str | None = None,
    generation: int | None = None,
    terms: bool = False,
) -> pd.DataFrame:
    """The numbers of each bar: indicators by their name, scores as `score_…`, with `terms` also those as `term_…`.

    A number that signals of an older engine lack is NaN.
    """
    groups = {"indicators": ("", INDICATORS), "scores": ("score_", SCORES)}
    if terms:
        groups["terms"] = ("term_", TERMS)
    numbers = {
        f"{prefix}{name}": f"(x.{group} ->> '{name}')::double precision"
        for group, (prefix, kind) in groups.items()
        for name in kind.names or ()
    }
    rows = _rows(
        symbol,
        timeframe,
        start,
        end,
        venue,
        generation,
        "f.ts, x.state, jsonb_array_length(x.levels), COALESCE(x.gap_detected, false), "
        f"COALESCE(x.gap_magnitude_pct, 0), x.gap_type, {', '.join(numbers.values())}",
    )
    return frame({**_FEATURE, **dict.fromkeys(numbers, FLOAT)}, rows)


def _rows(
    symbol: str,
    timeframe: str,
    start: Instant,
    end: Instant,
    venue: str | None,
    generation: int | None,
    columns: str,
) -> list[Any]:
    instrument, asked = find_instrument(symbol, venue), range_of(start, end)
    _, rows = fetch(
        _SIGNALS.format(columns=columns),
        {
            "instrument": instrument.instrument_id,
            "timeframe": timeframe_of(timeframe).value,
            "generation": generation,
            **asked._asdict(),
        },
    )
    return rows
