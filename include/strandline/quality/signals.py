"""The checks of signals: of those that the cycle may be planned on."""

from typing import Final

from strandline.model.signal import EngineState
from strandline.model.strategy import Strategy
from strandline.quality.severity import Severity
from strandline.quality.suite import FRAMES, Check, Suite, between, equal, in_set, with_literals
from strandline.quality.window import Window

# One row for each bar of the cycle's five minutes and for the newest bar of each series that may raise flags, and for
# signals of bars that there are not. A bar that the gate withheld has no signal, and gets none when it is mended: a
# series only moves forward.
_WINDOW: Final = """
    WITH series AS (
      SELECT DISTINCT s.instrument_id, s.timeframe, s.generation, f.length
      FROM engine_states s JOIN (VALUES {frames}) AS f (timeframe, length) USING (timeframe)
      JOIN instruments i USING (instrument_id)
      JOIN positions p ON (p.token_chain, p.book_id, p.token_contract) = (i.token_chain, i.book_id, i.token_contract)
                      AND p.timeframe = s.timeframe
      WHERE s.adopted AND s.ready AND p.desired_status <> 'archived'
    ), since AS (
      SELECT s.*, LEAST(newest.ts, CAST(:cycle AS timestamptz) - interval '5 minutes' - s.length
                                   + interval '1 microsecond') AS first
      FROM series s CROSS JOIN LATERAL (
        SELECT max(b.ts) AS ts FROM bars b
        WHERE b.instrument_id = s.instrument_id AND b.timeframe = s.timeframe
          AND b.ts <= CAST(:cycle AS timestamptz) - s.length
      ) AS newest
    ), withheld AS (
      SELECT DISTINCT f.instrument_id, f.timeframe, f.ts
      FROM quality_runs r JOIN quality_findings f USING (quality_run_id)
      WHERE r.suite <> 'signals' AND r.cycle_t <= :cycle AND r.cycle_t > (SELECT min(first) FROM since)
        AND f.severity = 'block_all' AND f.timeframe IS NOT NULL
    )
    SELECT s.instrument_id, CAST(s.timeframe AS text) AS timeframe, expected.ts, b.revision,
           CASE WHEN b.ts IS NULL THEN 0 ELSE 1 END AS bars,
           CASE WHEN made.signal IS NULL THEN 0 WHEN made.bar_revision > b.revision THEN 2 ELSE 1 END AS signals,
           made.signal ->> 'state' AS state, i.close,
           LEAST(i.ema20, i.ema30, i.ema60, i.ema144, i.ema250, i.ema333) AS ema,
           LEAST(i.atr, i.session_atr, i.full_atr) AS atr, i.rsi, i.adx,
           x.ts AS trend_score, x.ox, x.edx, x.dx, x.boost_ema60, x.boost_ema333,
           CASE WHEN made.signal IS NULL THEN 0 ELSE
             num_nulls(i.close, i.ema20, i.ema30, i.ema60, i.ema144, i.ema250, i.ema333, i.atr,
                       i.session_atr, i.full_atr, i.rsi, i.adx,
                       x.ts, x.ox, x.edx, x.dx, x.boost_ema60, x.boost_ema333)
             + jsonb_array_length(jsonb_path_query_array(
                 jsonb_build_array(made.signal -> 'indicators', made.signal -> 'scores', made.signal -> 'terms'),
                 '$[*].* ? (@.type() != "number" || @ > 1.7976931348623157e308 || @ < -1.7976931348623157e308)'))
           END AS not_finite
    FROM since s
    CROSS JOIN LATERAL (
      SELECT ts FROM bars b WHERE b.instrument_id = s.instrument_id AND b.timeframe = s.timeframe
        AND b.ts >= s.first AND b.ts <= CAST(:cycle AS timestamptz) - s.length
      UNION
      SELECT ts FROM features f WHERE f.instrument_id = s.instrument_id AND f.timeframe = s.timeframe
        AND f.generation = s.generation AND f.ts >= s.first AND f.ts <= :cycle
    ) AS expected
    LEFT JOIN bars b ON b.instrument_id = s.instrument_id AND b.timeframe = s.timeframe AND b.ts = expected.ts
    LEFT JOIN LATERAL (
      SELECT f.uptrend_engine_v4 AS signal, f.bar_revision FROM features f
      WHERE f.instrument_id = s.instrument_id AND f.timeframe = s.timeframe AND f.ts = expected.ts
        AND f.generation = s.generation
      ORDER BY f.restep DESC LIMIT 1
    ) AS made ON true
    LEFT JOIN LATERAL jsonb_to_record(made.signal -> 'indicators') AS i (
      close numeric, ema20 numeric, ema30 numeric, ema60 numeric, ema144 numeric, ema250 numeric, ema333 numeric,
      atr numeric, session_atr numeric, full_atr numeric, rsi numeric, adx numeric) ON true
    LEFT JOIN LATERAL jsonb_to_record(made.signal -> 'scores') AS x (
      ts numeric, ox numeric, edx numeric, dx numeric, boost_ema60 numeric, boost_ema333 numeric) ON true
    WHERE made.signal IS NOT NULL OR NOT EXISTS (
      SELECT FROM withheld w
      WHERE w.instrument_id = s.instrument_id AND w.timeframe = s.timeframe AND w.ts = expected.ts)
""".replace("{frames}", FRAMES)


_STATES: Final = tuple(state.value for state in EngineState)
_ROUNDING: Final = 1e-6


def signals_suite(window: Window, strategy: Strategy) -> Suite:
    """The checks of the newest signals of every series that may raise flags.

    Its bounds leave room for the rounding of scores and for that of sums of floats.
    """
    trend, boost = strategy.scores.trend, strategy.levels.boost
    ranges = {
        "rsi": (0, 100),
        "adx": (0, 100),
        "trend_score": (0, trend.rsi_slope_weight + trend.adx_slope_weight),
        "ox": (0, 1),
        "edx": (0, _most_decay(strategy)),
        "dx": (0, 1),
        "boost_ema60": (0, boost),
        "boost_ema333": (0, boost),
    }
    return Suite(
        "signals",
        with_literals(_WINDOW, cycle=window.cycle),
        ("revision", "state"),
        (
            Check("not_one_signal_per_bar", Severity.BLOCK_ALL, equal("bars", "signals")),
            Check("signal_not_finite", Severity.BLOCK_ALL, between("not_finite", 0, 0)),
            Check(
                "signal_out_of_range", Severity.BLOCK_ALL, in_set("state", tuple(state.value for state in EngineState))
            ),
            Check("signal_out_of_range", Severity.BLOCK_ALL, between("close", 0, None, above=True)),
            Check("signal_out_of_range", Severity.BLOCK_ALL, between("ema", 0, None, above=True)),
            Check("signal_out_of_range", Severity.BLOCK_ALL, between("atr", 0, None)),
            *(
                Check("signal_out_of_range", Severity.BLOCK_ALL, between(name, low - _ROUNDING, high + _ROUNDING))
                for name, (low, high) in ranges.items()
            ),
        ),
    )


def _most_decay(strategy: Strategy) -> float:
    """What EDX is when every term is 1."""
    weights = strategy.scores.decay
    separation = weights.separation_weight * (weights.dsep_mid_share + weights.dsep_fast_share)
    total = weights.slope_weight + weights.structure_weight + weights.volume_weight + separation
    return total / weights.normaliser
