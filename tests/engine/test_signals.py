"""Signals are complete, can be recomputed by hand, and carry a hash of their inputs."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from strandline.engine import ENGINE_VERSION, Bars, Engine, Series, columns
from strandline.engine.bars import GAPS
from strandline.model.bar import Bar, GapType
from strandline.model.canonical import canonical_bytes, from_json
from strandline.model.signal import Signal
from strandline.model.source import Source
from strandline.model.timeframe import Timeframe
from tests.engine import samples
from tests.engine.samples import ENGINE, STRATEGY

SERIES: Final = Series(7, Timeframe.M1, 3)
BARS: Final = samples.random_bars(11, 900)
SIGNALS: Final = ENGINE.signals(samples.run(BARS), [SERIES])
KEYS: Final = (
    "close ema20 ema30 ema60 ema144 ema250 ema333 slope20 slope60 slope144 slope250 slope333 atr session_atr "
    "full_atr adx rsi rsi_slope adx_slope dsep_fast dsep_mid atr_ratio vo_z lower_low_share under_ema60_share "
    "closes_under_ema333"
)


def last(bars: Bars, engine: Engine = ENGINE) -> Signal:
    """The signal of the newest bar."""
    return engine.signals(engine.run(engine.new_state(), bars, 1)[1], [SERIES])[0]


def test_identity() -> None:
    signal = SIGNALS[-1]
    assert (signal.instrument_id, signal.timeframe, signal.generation) == SERIES
    assert signal.bar_ts == datetime.fromtimestamp(int(BARS.ts[-1]) // 10**6, UTC)
    assert (signal.bar_count, signal.engine_version) == (900, ENGINE_VERSION)
    assert " ".join(signal.indicators) == KEYS
    assert list(signal.scores) == ["ts", "ox", "edx", "dx", "dx_threshold", "boost_ema60", "boost_ema333"]


def test_there_are_no_signals_before_there_is_a_state() -> None:
    assert len(SIGNALS) == 900 - 332
    assert ENGINE.signals(samples.run(samples.bars_between(BARS, 0, 332)), [SERIES]) == []


def test_it_reads_back() -> None:
    for signal in SIGNALS[::50]:
        assert from_json(msgspec.json.encode(signal), Signal) == signal
        assert from_json(canonical_bytes(signal), Signal) == signal


def test_scores_can_be_recomputed_by_hand() -> None:
    for signal in SIGNALS[::3]:
        t, found = signal.terms, signal.scores
        decay = (
            0.30 * (t["edx_slope250"] + t["edx_slope333"]) / 2
            + 0.25 * (t["edx_lower_lows"] + t["edx_under_ema60"]) / 2
            + 0.20 * t["edx_volume"]
            + 0.10 * (0.6 * t["edx_dsep_mid"] + 0.4 * t["edx_dsep_fast"])
        ) / 0.85
        stretch = (
            0.35 * t["ox_ema20"]
            + 0.20 * t["ox_ema60"]
            + 0.10 * (t["ox_ema144"] + t["ox_ema250"] + t["ox_dsep_fast"])
            + 0.05 * (t["ox_dsep_mid"] + t["ox_atr_ratio"] + t["ox_slope20"])
        )
        calm = 0.5 * t["dx_atr_ratio"] + 0.25 * t["dx_rsi_slope"] + 0.25 * t["dx_adx_counts"] * t["dx_adx_slope"]
        dip = (
            0.45 * t["dx_depth"] * (1 + 0.3 * t["dx_band"])
            + 0.25 * t["dx_volume"]
            + 0.25 * calm
            + 0.05 * t["dx_rising"]
        )
        wanted = {
            "ts": 0.6 * t["ts_rsi_slope"] + 0.4 * t["ts_adx_counts"] * t["ts_adx_slope"],
            "edx": decay,
            "ox": min(1.0, t["ox_factor"] * stretch),
            "dx": min(1.0, t["dx_factor"] * dip),
            "dx_threshold": 0.60 + t["dx_threshold_place"] + t["dx_threshold_decay"],
        }
        for span in (60, 333):
            anchor, atr = signal.indicators[f"ema{span}"], signal.indicators["atr"]
            near = [level.strength * max(0.0, 1 - abs(level.price - anchor) / atr) for level in signal.levels]
            wanted[f"boost_ema{span}"] = 0.25 * max(near, default=0.0)
        assert found == pytest.approx(wanted, abs=0.6e-9)


def test_scores_are_rounded() -> None:
    for signal in SIGNALS:
        assert all(round(score, 9) == score for score in signal.scores.values())


def test_unknown_volumes_are_named() -> None:
    unknown = {signal.bar_ts for signal in SIGNALS if signal.unknown_terms == ("edx_volume", "dx_volume")}
    assert unknown == {
        datetime.fromtimestamp(int(ts) // 10**6, UTC) for ts in BARS.ts[332:][np.isnan(BARS.volume[332:])]
    }
    assert all(
        signal.terms["edx_volume"] == 0.5 == signal.terms["dx_volume"] for signal in SIGNALS if signal.unknown_terms
    )


@pytest.mark.parametrize("field", Bars._fields)
def test_the_hash_changes_with_every_input(field: str) -> None:
    changed = getattr(BARS, field).copy()
    changed[-1] += {
        "ts": 1,
        "revision": 1,
        "gap": 1,
        "full_range": 1,
        "gap_magnitude_pct": 1,
        "low": -1e-9,
        "high": 1e-9,
    }.get(field, 0)
    if field in ("open", "close"):
        changed[-1] = (BARS.high[-1] + BARS.low[-1]) / 2
    if field == "volume":
        changed[-1] = 12.5
    assert last(BARS._replace(**{field: changed})).input_hash != SIGNALS[-1].input_hash


def test_the_hash_changes_with_history_and_strategy() -> None:
    earlier = BARS.volume.copy()
    earlier[5] = 12.5
    other = Engine(replace(STRATEGY, version="another"))
    hashes = {SIGNALS[-1].input_hash, last(BARS._replace(volume=earlier)).input_hash, last(BARS, other).input_hash}
    assert len(hashes) == 3
    assert last(BARS).input_hash == SIGNALS[-1].input_hash


def test_bars_and_columns_give_the_same_result() -> None:
    made = columns([_bar(i) for i in range(len(BARS.ts))])
    assert ENGINE.run(ENGINE.new_state(), made)[0] == ENGINE.run(ENGINE.new_state(), BARS)[0]


@pytest.mark.parametrize("timeframe", Timeframe)
def test_the_rules_of_4h_and_1d_take_the_full_range(timeframe: Timeframe) -> None:
    bar = replace(_bar(0), timeframe=timeframe, ts=datetime(2026, 1, 1, tzinfo=UTC))
    assert columns([bar]).full_range.tolist() == [timeframe in ("4h", "1d")]


def test_a_signal_tells_the_gap_before_its_bar() -> None:
    assert [(signal.gap_type, signal.gap_magnitude_pct) for signal in SIGNALS] == [
        (GAPS[gap], magnitude) for gap, magnitude in zip(BARS.gap[332:], BARS.gap_magnitude_pct[332:], strict=True)
    ]
    assert {signal.gap_type for signal in SIGNALS} == set(GAPS) == {None, *GapType}
    assert all(signal.gap_detected == (signal.gap_type is not None) for signal in SIGNALS)


def test_signals_from_before_there_were_gaps_in_them_can_be_read() -> None:
    old = msgspec.to_builtins(SIGNALS[0])
    for name in ("gap_detected", "gap_magnitude_pct", "gap_type"):
        del old[name]
    assert from_json(msgspec.json.encode(old), Signal).gap_type is None


def _bar(i: int) -> Bar:
    row: dict[str, Any] = {name: column[i].item() for name, column in BARS._asdict().items()}
    gap = GAPS[row.pop("gap")]
    assert not row.pop("full_range")
    volume = None if np.isnan(row["volume"]) else row["volume"]
    more = {"ts": datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=row["ts"]), "volume": volume}
    return Bar(
        **(row | more),
        instrument_id=7,
        timeframe=Timeframe.M1,
        known_seq=1,
        quote_volume=None,
        vwap=None,
        ticks=1,
        source=Source.STREAM,
        gap_detected=gap is not None,
        gap_type=gap,
    )
