"""The scores, and every term of them."""

from strandline.engine.arithmetic import clip, exp, over, rounded, sigmoid
from strandline.engine.compiled import part
from strandline.engine.memory import Memory
from strandline.engine.results import Indicators, Scores, Terms
from strandline.engine.states import S3
from strandline.model.strategy import Strategy


@part
def score(m: Memory, volume_known: bool, p: Strategy, now: Indicators, terms: Terms, scores: Scores) -> None:
    """All of them; decay comes before what it weighs on."""
    volume = sigmoid(-now.vo_z) if volume_known else p.indicators.unknown_volume_term
    scores.ts = _trend(p, now, terms)
    scores.edx = _decay(volume, p, now, terms)
    scores.ox = _overextension(m.state == S3, scores.edx, p, now, terms)
    scores.dx = _dip(m, volume, scores.edx, p, now, terms)
    scores.dx_threshold = _dip_threshold(scores.edx, p, terms)


@part
def _trend(p: Strategy, now: Indicators, terms: Terms) -> float:
    """TS: momentum, and the strength of the trend where there is one."""
    w = p.scores.trend
    terms.ts_rsi_slope = sigmoid(now.rsi_slope / w.rsi_slope_scale)
    terms.ts_adx_slope = sigmoid(now.adx_slope / w.adx_slope_scale)
    terms.ts_adx_counts = 1.0 if now.adx >= w.adx_min else 0.0
    return rounded(
        w.rsi_slope_weight * terms.ts_rsi_slope + w.adx_slope_weight * terms.ts_adx_counts * terms.ts_adx_slope
    )


@part
def _decay(volume: float, p: Strategy, now: Indicators, terms: Terms) -> float:
    """EDX: 0 healthy, 1 decayed."""
    w = p.scores.decay
    terms.edx_slope250 = sigmoid(-now.slope250 / w.slope250_scale)
    terms.edx_slope333 = sigmoid(-now.slope333 / w.slope333_scale)
    terms.edx_lower_lows = sigmoid((now.lower_low_share - w.lower_lows_middle) / w.lower_lows_scale)
    terms.edx_under_ema60 = sigmoid((now.under_ema60_share - w.under_ema60_middle) / w.under_ema60_scale)
    terms.edx_volume = volume
    terms.edx_dsep_mid = sigmoid(-now.dsep_mid / w.dsep_mid_scale)
    terms.edx_dsep_fast = sigmoid(-now.dsep_fast / w.dsep_fast_scale)
    slopes = 0.5 * (terms.edx_slope250 + terms.edx_slope333)
    structure = 0.5 * (terms.edx_lower_lows + terms.edx_under_ema60)
    separation = w.dsep_mid_share * terms.edx_dsep_mid + w.dsep_fast_share * terms.edx_dsep_fast
    total = (
        w.slope_weight * slopes
        + w.structure_weight * structure
        + w.volume_weight * terms.edx_volume
        + w.separation_weight * separation
    )
    return rounded(total / w.normaliser)


@part
def _overextension(in_trend: bool, edx: float, p: Strategy, now: Indicators, terms: Terms) -> float:
    """OX: how far price has run ahead of its averages; more so when the trend decays."""
    w, weigh, scale = p.scores.overextension, p.scores.overextension.weights, p.scores.overextension.scales
    terms.ox_ema20 = sigmoid(over(now.close - now.ema20, scale.ema20_atr * now.atr))
    terms.ox_ema60 = sigmoid(over(now.close - now.ema60, scale.ema60_atr * now.atr))
    terms.ox_ema144 = sigmoid(over(now.close - now.ema144, scale.ema144_atr * now.atr))
    terms.ox_ema250 = sigmoid(over(now.close - now.ema250, scale.ema250_atr * now.atr))
    terms.ox_dsep_fast = sigmoid(now.dsep_fast / scale.dsep_fast)
    terms.ox_dsep_mid = sigmoid(now.dsep_mid / scale.dsep_mid)
    terms.ox_atr_ratio = sigmoid(now.atr_ratio - 1.0)
    terms.ox_slope20 = sigmoid(-now.slope20 / scale.slope20)
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
    return rounded(clip(terms.ox_factor * total, 0.0, 1.0))


@part
def _dip(m: Memory, volume: float, edx: float, p: Strategy, now: Indicators, terms: Terms) -> float:
    """DX: how good a dip between EMA 333 and EMA 144 is to buy."""
    w = p.scores.dip
    band = (now.ema144 - now.ema333) / now.close
    terms.dx_place = clip(over(now.close - now.ema333, now.ema144 - now.ema333), 0.0, 1.0)
    terms.dx_depth = exp(-w.depth_decay * terms.dx_place)
    terms.dx_band = sigmoid((w.band_middle - band) / w.band_scale)
    terms.dx_volume = volume
    terms.dx_atr_ratio = sigmoid((w.atr_ratio_middle - now.atr_ratio) / w.atr_ratio_scale)
    terms.dx_rsi_slope = sigmoid(now.rsi_slope / w.rsi_slope_scale)
    terms.dx_adx_slope = sigmoid(now.adx_slope / w.adx_slope_scale)
    terms.dx_adx_counts = 1.0 if now.adx >= w.adx_min else 0.0
    terms.dx_rising = 1.0 if now.slope144 > m.slope144_values[0] else 0.0
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
    return rounded(clip(total * terms.dx_factor, 0.0, 1.0))


@part
def _dip_threshold(edx: float, p: Strategy, terms: Terms) -> float:
    """What DX must reach: less the deeper the dip, more when the trend decays."""
    w = p.flags.buy_s3
    decayed = clip((edx - w.decay_from) / (w.decay_to - w.decay_from), 0.0, 1.0)
    terms.dx_threshold_place = w.dx_at_ema333 + (w.dx_at_ema144 - w.dx_at_ema333) * terms.dx_place
    terms.dx_threshold_decay = w.decay_raises_by * decayed
    return rounded(w.dx_threshold + terms.dx_threshold_decay + terms.dx_threshold_place)
