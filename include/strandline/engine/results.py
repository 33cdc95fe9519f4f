"""The outputs of a step as NumPy records; field names are those of the signal."""

from typing import Final, NamedTuple

from strandline.engine.bars import Bars
from strandline.engine.records import Floats, Records, record_type, with_views

NO_STATE: Final = -1
"""The state of a series with too few bars."""


class BarState:
    """State, identifiers and flags after the bar."""

    series: int
    bar_count: int
    state: int
    state_since: int
    attempt: int
    trend: int
    flags: int
    exit: int
    ended_by: int
    volume_known: int
    levels: int


class Indicators:
    """Inputs of the scores and rules; `atr` is the session's or the full one, as the timeframe wants it."""

    close: float
    ema20: float
    ema30: float
    ema60: float
    ema144: float
    ema250: float
    ema333: float
    slope20: float
    slope60: float
    slope144: float
    slope250: float
    slope333: float
    atr: float
    session_atr: float
    full_atr: float
    adx: float
    rsi: float
    rsi_slope: float
    adx_slope: float
    dsep_fast: float
    dsep_mid: float
    atr_ratio: float
    vo_z: float
    lower_low_share: float
    under_ema60_share: float
    closes_under_ema333: float


class Scores:
    """The scores, rounded to 1e-9."""

    ts: float
    ox: float
    edx: float
    dx: float
    dx_threshold: float
    boost_ema60: float
    boost_ema333: float


class Terms:
    """The terms of the scores, before weights."""

    ts_rsi_slope: float
    ts_adx_slope: float
    ts_adx_counts: float
    ox_ema20: float
    ox_ema60: float
    ox_ema144: float
    ox_ema250: float
    ox_dsep_fast: float
    ox_dsep_mid: float
    ox_atr_ratio: float
    ox_slope20: float
    ox_factor: float
    edx_slope250: float
    edx_slope333: float
    edx_lower_lows: float
    edx_under_ema60: float
    edx_volume: float
    edx_dsep_mid: float
    edx_dsep_fast: float
    dx_place: float
    dx_depth: float
    dx_band: float
    dx_volume: float
    dx_atr_ratio: float
    dx_rsi_slope: float
    dx_adx_slope: float
    dx_adx_counts: float
    dx_rising: float
    dx_factor: float
    dx_threshold_place: float
    dx_threshold_decay: float


class TermsWithViews(Terms):
    """The same terms, with one name for all."""

    every: Floats


class FoundLevel:
    """A level, and the bar number of its newest pivot."""

    ts: int
    price: float
    touches: int
    strength: float
    last_bar: int


class Outputs(NamedTuple):
    """A row for each kept bar, series after series; `state_before` is the state of the series before the bar.

    Until a series has a state, only the bar count of its rows is valid, and of a row's levels only as many as
    `bar_states` counts. `state_before` is empty if no signals are to be made.
    """

    bars: Bars
    state_before: Records
    bar_states: Records
    indicators: Records
    scores: Records
    terms: Records
    levels: Records


BAR_STATE: Final = record_type(BarState)
INDICATORS: Final = record_type(Indicators)
SCORES: Final = record_type(Scores)
TERMS: Final = record_type(Terms)
TERMS_WITH_VIEWS: Final = with_views(TERMS, {"every": ("ts_rsi_slope", "dx_threshold_decay")})
LEVEL: Final = record_type(FoundLevel)
