"""Computes the scores and their terms."""

from strandline.engine.arithmetic import clip, exp, round_score, safe_ratio, sigmoids
from strandline.engine.compilation import compiled
from strandline.engine.records import Ints
from strandline.engine.results import Indicators, Scores, Terms, TermsWithViews
from strandline.engine.series_state import SeriesState
from strandline.engine.states import S3
from strandline.model.strategy import Strategy


@compiled
def score(
    s: SeriesState,
    volume_known: bool,
    p: Strategy,
    now: Indicators,
    terms: TermsWithViews,
    scores: Scores,
    scratch: Ints,
) -> None:
    """Compute all scores; decay first, because the others use it.

    Most terms are sigmoids: their arguments are set first, and then all of them become sigmoids at once.
    """
    _trend_arguments(p, now, terms)
    _decay_arguments(p, now, terms)
    _overextension_arguments(p, now, terms)
    _dip_arguments(p, now, terms)
    sigmoids(terms.every, scratch)
    volume = terms.edx_volume if volume_known else p.indicators.unknown_volume_term
    scores.ts = _trend(p, now, terms)
    scores.edx = _decay(volume, p, terms)
    scores.ox = _overextension(s.state == S3, scores.edx, p, terms)
    scores.dx = _dip(s, volume, scores.edx, p, now, terms)
    scores.dx_threshold = _dip_threshold(scores.edx, p, terms)


@compiled
def _trend_arguments(p: Strategy, now: Indicators, terms: Terms) -> None:
    terms.ts_rsi_slope = now.rsi_slope / p.scores.trend.rsi_slope_scale
    terms.ts_adx_slope = now.adx_slope / p.scores.trend.adx_slope_scale


@compiled
def _decay_arguments(p: Strategy, now: Indicators, terms: Terms) -> None:
    w = p.scores.decay
    terms.edx_slope250 = -now.slope250 / w.slope250_scale
    terms.edx_slope333 = -now.slope333 / w.slope333_scale
    terms.edx_lower_lows = (now.lower_low_share - w.lower_lows_middle) / w.lower_lows_scale
    terms.edx_under_ema60 = (now.under_ema60_share - w.under_ema60_middle) / w.under_ema60_scale
    terms.edx_volume = -now.vo_z
    terms.edx_dsep_mid = -now.dsep_mid / w.dsep_mid_scale
    terms.edx_dsep_fast = -now.dsep_fast / w.dsep_fast_scale


@compiled
def _overextension_arguments(p: Strategy, now: Indicators, terms: Terms) -> None:
    scale = p.scores.overextension.scales
    terms.ox_ema20 = safe_ratio(now.close - now.ema20, scale.ema20_atr * now.atr)
    terms.ox_ema60 = safe_ratio(now.close - now.ema60, scale.ema60_atr * now.atr)
    terms.ox_ema144 = safe_ratio(now.close - now.ema144, scale.ema144_atr * now.atr)
    terms.ox_ema250 = safe_ratio(now.close - now.ema250, scale.ema250_atr * now.atr)
    terms.ox_dsep_fast = now.dsep_fast / scale.dsep_fast
    terms.ox_dsep_mid = now.dsep_mid / scale.dsep_mid
    terms.ox_atr_ratio = now.atr_ratio - 1.0
    terms.ox_slope20 = -now.slope20 / scale.slope20


@compiled
def _dip_arguments(p: Strategy, now: Indicators, terms: Terms) -> None:
    w = p.scores.dip
    band = (now.ema144 - now.ema333) / now.close
    terms.dx_band = (w.band_middle - band) / w.band_scale
    terms.dx_atr_ratio = (w.atr_ratio_middle - now.atr_ratio) / w.atr_ratio_scale
    terms.dx_rsi_slope = now.rsi_slope / w.rsi_slope_scale
    terms.dx_adx_slope = now.adx_slope / w.adx_slope_scale


@compiled
def _trend(p: Strategy, now: Indicators, terms: Terms) -> float:
    """TS, trend strength: momentum, and the slope of ADX while ADX shows a trend."""
    w = p.scores.trend
    terms.ts_adx_counts = 1.0 if now.adx >= w.adx_min else 0.0
    return round_score(
        w.rsi_slope_weight * terms.ts_rsi_slope + w.adx_slope_weight * terms.ts_adx_counts * terms.ts_adx_slope
    )


@compiled
def _decay(volume: float, p: Strategy, terms: Terms) -> float:
    """EDX, decay of the trend: 0 healthy, 1 decayed."""
    w = p.scores.decay
    terms.edx_volume = volume
    slopes = 0.5 * (terms.edx_slope250 + terms.edx_slope333)
    structure = 0.5 * (terms.edx_lower_lows + terms.edx_under_ema60)
    separation = w.dsep_mid_share * terms.edx_dsep_mid + w.dsep_fast_share * terms.edx_dsep_fast
    total = (
        w.slope_weight * slopes
        + w.structure_weight * structure
        + w.volume_weight * terms.edx_volume
        + w.separation_weight * separation
    )
    return round_score(total / w.normaliser)


@compiled
def _overextension(in_trend: bool, edx: float, p: Strategy, terms: Terms) -> float:
    """OX, overextension: how far price is above its averages; in S3 a decaying trend raises it."""
    w, weigh = p.scores.overextension, p.scores.overextension.weights
    terms.ox_factor = 1.0 + w.decay_boost * clip(edx - w.decay_from, 0.0, w.decay_span) if in_trend else 1.0
    total = (
        weigh.ema20 * terms.ox_ema20
        + weigh.ema60 * terms.ox_ema60
        + weigh.ema144 * terms.ox_ema144
        + weigh.ema250 * terms.ox_ema250
        + weigh.dsep_fast * terms.ox_dsep_fast
        + weigh.dsep_mid * terms.ox_dsep_mid
        + weigh.atr_ratio * terms.ox_atr_ratio
        + weigh.slope20 * terms.ox_slope20
    )
    return round_score(clip(terms.ox_factor * total, 0.0, 1.0))


@compiled
def _dip(s: SeriesState, volume: float, edx: float, p: Strategy, now: Indicators, terms: Terms) -> float:
    """DX, quality of a dip between EMA 333 and EMA 144."""
    w = p.scores.dip
    terms.dx_place = clip(safe_ratio(now.close - now.ema333, now.ema144 - now.ema333), 0.0, 1.0)
    terms.dx_depth = exp(-w.depth_decay * terms.dx_place)
    terms.dx_volume = volume
    terms.dx_adx_counts = 1.0 if now.adx >= w.adx_min else 0.0
    terms.dx_rising = 1.0 if now.slope144 > s.slope144_values[0] else 0.0
    terms.dx_factor = 1.0 - w.decay_damping * clip(edx - w.decay_from, 0.0, w.decay_span)
    calm = (
        w.atr_ratio_share * terms.dx_atr_ratio
        + w.rsi_slope_share * terms.dx_rsi_slope
        + w.adx_slope_share * terms.dx_adx_counts * terms.dx_adx_slope
    )
    total = (
        w.depth_weight * terms.dx_depth * (1.0 + w.band_boost * terms.dx_band)
        + w.volume_weight * terms.dx_volume
        + w.calm_weight * calm
        + w.rising_weight * terms.dx_rising
    )
    return round_score(clip(total * terms.dx_factor, 0.0, 1.0))


@compiled
def _dip_threshold(edx: float, p: Strategy, terms: Terms) -> float:
    """The threshold of DX: lower the deeper the dip, higher when the trend decays."""
    w = p.flags.buy_s3
    decayed = clip((edx - w.decay_from) / (w.decay_to - w.decay_from), 0.0, 1.0)
    terms.dx_threshold_place = w.dx_at_ema333 + (w.dx_at_ema144 - w.dx_at_ema333) * terms.dx_place
    terms.dx_threshold_decay = w.decay_raises_by * decayed
    return round_score(w.dx_threshold + terms.dx_threshold_decay + terms.dx_threshold_place)
