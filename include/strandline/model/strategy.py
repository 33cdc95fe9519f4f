"""The trading parameters, typed and checked. Their values are in `strategy.toml` only."""

from collections.abc import Mapping
from typing import Annotated, TypeAlias

from msgspec import Meta

from strandline.model.canonical import digest
from strandline.model.record import Record, require
from strandline.model.timeframe import Timeframe

Count: TypeAlias = Annotated[int, Meta(ge=1)]
Positive: TypeAlias = Annotated[float, Meta(gt=0)]
NotNegative: TypeAlias = Annotated[float, Meta(ge=0)]
Unit: TypeAlias = Annotated[float, Meta(ge=0, le=1)]
Percent: TypeAlias = Annotated[float, Meta(gt=0, le=100)]
Signed: TypeAlias = Annotated[float, Meta(ge=-1, le=1)]
Bps: TypeAlias = Annotated[int, Meta(ge=0, le=10_000)]
Curve: TypeAlias = tuple[tuple[float, float], ...]


class Freshness(Record, frozen=True, kw_only=True):
    """Ages beyond which cycles, bars and marks are too old to trade on."""

    max_cycle_age_seconds: Count
    max_bar_age_seconds: Count
    max_mark_age_seconds: Count
    watermark_wait_seconds: NotNegative


class History(Record, frozen=True, kw_only=True):
    """The number of bars that states and flags need."""

    bars_for_state: Count
    bars_for_flags: Count

    def check(self) -> None:
        require(self.bars_for_state <= self.bars_for_flags, "bars_for_state must not exceed bars_for_flags")


class Allocation(Record, frozen=True, kw_only=True):
    """The shares of equity that a position, a venue and everything together may take."""

    max_position_pct: Percent
    max_venue_pct: Percent
    max_total_pct: Percent
    weights: Mapping[Timeframe, NotNegative]

    def check(self) -> None:
        require(
            self.max_position_pct <= self.max_venue_pct <= self.max_total_pct,
            "max_position_pct, max_venue_pct and max_total_pct must not decrease in this order",
        )
        require(set(self.weights) == set(Timeframe), "every timeframe needs a weight")
        require(sum(self.weights.values()) > 0, "at least one weight must be above zero")


class Dust(Record, frozen=True, kw_only=True):
    """When a remainder or an entry is too small, in the venue's minimum notionals."""

    sell_all_below_min_notionals: Positive
    skip_entry_below_min_notionals: Positive


class Indicators(Record, frozen=True, kw_only=True):
    """The lengths of the indicators."""

    ema_bars: tuple[Count, Count, Count, Count, Count, Count]
    slope_bars: Annotated[int, Meta(ge=2)]
    wilder_bars: Count
    separation_bars: Count
    atr_mean_bars: Count
    volume_span_bars: Count
    volume_z: tuple[float, float]
    unknown_volume_term: Unit

    def check(self) -> None:
        require(list(self.ema_bars) == sorted(set(self.ema_bars)), "ema_bars must increase")
        require(self.volume_z[0] < self.volume_z[1], "volume_z must be a lower and a higher bound")


class Levels(Record, frozen=True, kw_only=True):
    """How pivots are joined to levels, and how much a level near an anchor adds to a score."""

    side_bars: Count
    min_range_pct: NotNegative
    newest: Count
    join_atr: Positive
    full_strength_touches: Count
    half_life_bars: Count
    boost: NotNegative


class States(Record, frozen=True, kw_only=True):
    """How many bars confirm a change of state."""

    confirm_s3_bars: Count


class BuyNearAnchor(Record, frozen=True, kw_only=True):
    """Buying close to an average."""

    within_atr: Positive
    min_score: NotNegative


class BuyS3(Record, frozen=True, kw_only=True):
    """Buying a dip inside a trend."""

    min_score: NotNegative
    dx_threshold: NotNegative
    dx_at_ema144: Signed
    dx_at_ema333: Signed
    decay_from: Unit
    decay_to: Unit
    decay_raises_by: NotNegative

    def check(self) -> None:
        require(self.decay_from < self.decay_to, "decay_from must lie below decay_to")


class FirstDip(Record, frozen=True, kw_only=True):
    """Buying the first dip of a trend."""

    fast_bars: Count
    slow_bars: Count
    within_atr: Positive
    min_score: NotNegative


class TrimFlag(Record, frozen=True, kw_only=True):
    """Selling a part into strength."""

    min_overextension: Unit
    level_within_atr: Positive


class EmergencyFlag(Record, frozen=True, kw_only=True):
    """Selling because the close is under EMA 333: far, or for several bars in a row."""

    under_by_atr: NotNegative
    closes_under: Count


class Flags(Record, frozen=True, kw_only=True):
    """The thresholds of the engine's flags."""

    buy_s1: BuyNearAnchor
    buy_s2: BuyNearAnchor
    buy_s3: BuyS3
    first_dip: FirstDip
    trim: TrimFlag
    emergency: EmergencyFlag


class TrendScore(Record, frozen=True, kw_only=True):
    """The trend score, TS."""

    rsi_slope_weight: Unit
    rsi_slope_scale: Positive
    adx_slope_weight: Unit
    adx_slope_scale: Positive
    adx_min: NotNegative


class OverextensionWeights(Record, frozen=True, kw_only=True):
    """The weights of the terms of OX; they add up to 1."""

    ema20: Unit
    ema60: Unit
    ema144: Unit
    ema250: Unit
    dsep_fast: Unit
    dsep_mid: Unit
    atr_ratio: Unit
    slope20: Unit

    def check(self) -> None:
        total = sum(getattr(self, name) for name in self.__struct_fields__)
        require(abs(total - 1) < 1e-9, f"the weights of overextension must add up to 1, not {total:g}")


class OverextensionScales(Record, frozen=True, kw_only=True):
    """The divisors of the terms of OX."""

    ema20_atr: Positive
    ema60_atr: Positive
    ema144_atr: Positive
    ema250_atr: Positive
    dsep_fast: Positive
    dsep_mid: Positive
    slope20: Positive


class OverextensionScore(Record, frozen=True, kw_only=True):
    """The overextension score, OX."""

    decay_boost: NotNegative
    decay_from: Unit
    decay_span: Unit
    weights: OverextensionWeights
    scales: OverextensionScales


class DecayScore(Record, frozen=True, kw_only=True):
    """The decay score, EDX."""

    window_bars: Count
    slope_weight: Unit
    slope250_scale: Positive
    slope333_scale: Positive
    structure_weight: Unit
    lower_lows_middle: Unit
    lower_lows_scale: Positive
    under_ema60_middle: Unit
    under_ema60_scale: Positive
    volume_weight: Unit
    separation_weight: Unit
    dsep_mid_share: Unit
    dsep_mid_scale: Positive
    dsep_fast_share: Unit
    dsep_fast_scale: Positive
    normaliser: Positive


class DipScore(Record, frozen=True, kw_only=True):
    """The dip score, DX."""

    depth_weight: Unit
    depth_decay: Positive
    band_boost: NotNegative
    band_middle: NotNegative
    band_scale: Positive
    volume_weight: Unit
    calm_weight: Unit
    atr_ratio_share: Unit
    atr_ratio_middle: Positive
    atr_ratio_scale: Positive
    rsi_slope_share: Unit
    rsi_slope_scale: Positive
    adx_slope_share: Unit
    adx_slope_scale: Positive
    adx_min: NotNegative
    rising_weight: Unit
    rising_bars: Count
    decay_damping: Unit
    decay_from: Unit
    decay_span: Unit


class Scores(Record, frozen=True, kw_only=True):
    """The engine's scores."""

    trend: TrendScore
    overextension: OverextensionScore
    decay: DecayScore
    dip: DipScore


class Phases(Record, frozen=True, kw_only=True):
    """Terms of A and E for each phase of the market."""

    dip: tuple[NotNegative, NotNegative]
    double_dip: tuple[NotNegative, NotNegative]
    oh_shit: tuple[NotNegative, NotNegative]
    recover: tuple[NotNegative, NotNegative]
    good: tuple[NotNegative, NotNegative]
    euphoria: tuple[NotNegative, NotNegative]
    neutral: tuple[NotNegative, NotNegative]


class Regime(Record, frozen=True, kw_only=True):
    """How the phase of the market is determined."""

    members: Annotated[tuple[str, ...], Meta(min_length=1)]
    confirm_bars: Count
    double_dip_bars: Count
    drawdown_bars: Count
    drawdown_pct: Percent
    oversold_rsi: Percent
    euphoria_overextension: Unit
    meso: Phases
    macro: Phases

    def check(self) -> None:
        require(len(set(self.members)) == len(self.members), "a member of the index is named twice")


class Drivers(Record, frozen=True, kw_only=True):
    """How much the flags of BTC and of the index add to A and E while they fade."""

    fade_bars: Count
    btc_weight: NotNegative
    index_weight: NotNegative
    buy: tuple[Signed, Signed]
    trim: tuple[Signed, Signed]
    emergency: tuple[Signed, Signed]


class CutPressure(Record, frozen=True, kw_only=True):
    """How drawdown, crowding and losing streaks damp A and raise E."""

    drawdown_weight: Unit
    drawdown_pct: Percent
    crowding_weight: Unit
    crowding_from: Annotated[int, Meta(ge=0)]
    crowding_span: Count
    streak_weight: Unit
    streak_full: Count
    damps_a: Unit
    raises_e: NotNegative


class Appetite(Record, frozen=True, kw_only=True):
    """How much a row's failed attempts, extracted money and age add to A and E."""

    per_failed_attempt: Annotated[float, Meta(ge=-1, le=0)]
    failed_attempts_max: Annotated[int, Meta(ge=0)]
    e_for_extracted: Unit
    e_for_age: Unit
    age_days: Count


class Exits(Record, frozen=True, kw_only=True):
    """Stops, and what a trim waits for."""

    stop_pct: Annotated[float, Meta(gt=0, lt=100)]
    trail_arms_pct: Positive
    trail_pct: Annotated[float, Meta(gt=0, lt=100)]
    time_days: Count
    trim_pause_bars: Annotated[int, Meta(ge=0)]
    trim_after_buy_bars: Annotated[int, Meta(ge=0)]
    trim_above_entry_atr: NotNegative


class Entries(Record, frozen=True, kw_only=True):
    """How long an entry flag is valid, and the ladder of adds within a trend."""

    flag_life_seconds: Count
    max_drift_atr: Positive
    ladder_rungs: Annotated[int, Meta(ge=0)]
    ladder_step_atr: NotNegative
    ladder_step_band: NotNegative


class Sizes(Record, frozen=True, kw_only=True):
    """Sizes of entries and trims. Curves are piecewise linear through their points, and flat outside."""

    entry: Curve
    s2_factor: Unit
    ladder_rung: Unit
    trim: Curve
    trim_damping: Curve
    trim_max: Unit

    def check(self) -> None:
        for name, curve in (("entry", self.entry), ("trim", self.trim), ("trim_damping", self.trim_damping)):
            xs = [x for x, _ in curve]
            require(len(xs) >= 2 and xs == sorted(set(xs)), f"{name} needs two points or more with increasing x")
            require(all(0 <= y <= 1 for _, y in curve), f"{name} must stay in [0, 1]")


class Breakers(Record, frozen=True, kw_only=True):
    """Losses that stop entries."""

    max_daily_loss_pct: Percent
    max_drawdown_pct: Percent
    max_consecutive_losses: Count


class Execution(Record, frozen=True, kw_only=True):
    """The limits within which executors work."""

    entry_life_seconds: Count
    exit_life_seconds: Count
    entry_slippage_bps: Bps
    exit_slippage_bps: Annotated[tuple[Bps, ...], Meta(min_length=1)]
    task_seconds: Count
    leverage: Positive
    funding_caps_leverage_pct: Positive
    funding_capped_leverage: Positive
    funding_skips_entries_pct: Positive
    sol_gas_reserve: NotNegative

    def check(self) -> None:
        require(
            self.funding_caps_leverage_pct <= self.funding_skips_entries_pct,
            "funding_caps_leverage_pct must not exceed funding_skips_entries_pct",
        )


class Quality(Record, frozen=True, kw_only=True):
    """The limits of the data-quality gate."""

    future_tick_seconds: NotNegative
    late_tick_seconds: NotNegative
    max_move_atr: Positive
    max_move_pct: Positive
    outage_bars: Count
    candle_price_pct: NotNegative
    candle_volume_pct: NotNegative


class Strategy(Record, frozen=True, kw_only=True):
    """All parameters. Strategies with the same hash make the same decisions from the same inputs."""

    version: Annotated[str, Meta(min_length=1)]
    freshness: Freshness
    history: History
    allocation: Allocation
    dust: Dust
    indicators: Indicators
    levels: Levels
    states: States
    flags: Flags
    scores: Scores
    regime: Regime
    drivers: Drivers
    cut_pressure: CutPressure
    appetite: Appetite
    exits: Exits
    entries: Entries
    sizes: Sizes
    breakers: Breakers
    execution: Execution
    quality: Quality

    @property
    def hash(self) -> str:
        """The digest of all parameters, stored with every decision."""
        return digest(self)
