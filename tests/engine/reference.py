"""A slow and obvious reference implementation of the rules: whole columns, plain Python, numbers as in the rules."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd  # type: ignore[import-untyped]

from strandline.engine import Bars

SPANS = (20, 30, 60, 144, 250, 333)
SESSION_GAPS = (1, 2, 3)  # overnight, weekend, holiday
Row = Mapping[str, float]


def indicators(bars: Bars) -> pd.DataFrame:
    """Every indicator of every bar."""
    frame = pd.DataFrame({name: column.astype(float) for name, column in bars._asdict().items()})
    close, low = frame["close"], frame["low"]
    found = pd.DataFrame({"close": close})
    emas = {span: close.ewm(alpha=2 / (span + 1), adjust=False).mean() for span in SPANS}
    for span, ema in emas.items():
        found[f"ema{span}"] = ema
        if span != 30:
            found[f"slope{span}"] = fitted_slope(ema) / ema
    found["session_atr"] = wilder(true_range(frame, session=True))
    found["full_atr"] = wilder(true_range(frame, session=False))
    found["atr"] = found["full_atr"].where(frame["full_range"] > 0, found["session_atr"])
    found["adx"] = directional_index(frame)
    found["rsi"] = strength_index(close)
    found["rsi_slope"] = fitted_slope(found["rsi"])
    found["adx_slope"] = fitted_slope(found["adx"])
    fast, mid = (emas[20] - emas[60]) / emas[60], (emas[60] - emas[144]) / emas[144]
    found["dsep_fast"], found["dsep_mid"] = fast.diff(5), mid.diff(5)
    found["atr_ratio"] = found["atr"] / found["atr"].rolling(20).mean()
    found["vo_z"] = volume_z(frame["volume"])
    found["lower_low_share"] = (low < low.shift()).rolling(50).mean()
    found["under_ema60_share"] = (close < emas[60]).rolling(50).mean()
    under = (close < emas[333]).astype(float)
    found["closes_under_ema333"] = under.groupby((under == 0).cumsum()).cumsum()
    return found


def fitted_slope(values: pd.Series, n: int = 10) -> pd.Series:
    """The slopes of the lines that NumPy fits to each window."""
    windows = np.lib.stride_tricks.sliding_window_view(values.to_numpy(), n)
    known = ~np.isnan(windows).any(axis=1)
    slopes = np.full(len(values), np.nan)
    slopes[n - 1 :][known] = np.polyfit(np.arange(n), windows[known].T, 1)[0]
    return pd.Series(slopes, values.index)


def true_range(frame: pd.DataFrame, *, session: bool) -> pd.Series:
    """True range, from the second bar on; that of a session's first bar may be its own range alone."""
    before = frame["close"].shift()
    inside = frame["high"] - frame["low"]
    jumps = pd.concat([inside, (frame["high"] - before).abs(), (frame["low"] - before).abs()], axis=1).max(axis=1)
    return jumps.where(~(session & frame["gap"].isin(SESSION_GAPS)), inside).where(before.notna())


def wilder(values: pd.Series, n: int = 14) -> pd.Series:
    """The mean of the first n, then Wilder's smoothing."""
    known = values.dropna()
    smooth, now = [], 0.0
    for index, value in enumerate(known):
        now = float(known.iloc[: index + 1].mean()) if index < n else (now * (n - 1) + value) / n
        smooth.append(now)
    return pd.Series(smooth, known.index, dtype=float).reindex(values.index)


def directional_index(frame: pd.DataFrame) -> pd.Series:
    """ADX."""
    up, down = frame["high"].diff(), -frame["low"].diff()
    plus = up.where((up > down) & (up > 0), 0.0).where(up.notna())
    minus = down.where((down > up) & (down > 0), 0.0).where(down.notna())
    whole = wilder(true_range(frame, session=False))
    up_share, down_share = wilder(plus) / whole, wilder(minus) / whole
    spread = (100 * (up_share - down_share).abs() / (up_share + down_share)).where(up_share + down_share > 0, 0.0)
    spread.iloc[:14] = np.nan
    return wilder(spread)


def strength_index(close: pd.Series) -> pd.Series:
    """RSI."""
    change = close.diff()
    gain, loss = wilder(change.clip(lower=0)), wilder(-change.clip(upper=0))
    return (100 * gain / (gain + loss)).where(gain + loss > 0, 50.0)


def volume_z(volume: pd.Series) -> pd.Series:
    """The z-score of ln(1 + volume) against the bars before."""
    alpha, mean, variance, found = 2 / 65, None, 0.0, []
    for value in volume:
        if math.isnan(value):
            found.append(0.0)
            continue
        x = math.log(1 + value)
        mean = x if mean is None else mean
        found.append(min(6.0, max(-4.0, (x - mean) / math.sqrt(variance))) if variance > 0 else 0.0)
        away = x - mean
        mean += alpha * away
        variance = (1 - alpha) * (variance + alpha * away**2)
    return pd.Series(found)


class Pivot(NamedTuple):
    """A bar at which closes turned."""

    price: float
    bar: int


def levels(closes: Sequence[float], bar: int, atr: float) -> list[tuple[int, float, int, float]]:
    """The levels after this bar, from the lowest up: earliest bar, price, touches and strength of each."""
    newest = list(pivots(closes[: bar + 1]))[-64:]
    clusters: list[list[Pivot]] = []
    for pivot in sorted(newest):
        if clusters and pivot.price - np.mean([touch.price for touch in clusters[-1]]) <= atr:
            clusters[-1].append(pivot)
        else:
            clusters.append([pivot])
    return [
        (
            min(touch.bar for touch in touches),
            float(np.mean([touch.price for touch in touches])),
            len(touches),
            min(1, len(touches) / 5) * 0.5 ** ((bar - max(touch.bar for touch in touches)) / 250),
        )
        for touches in clusters
    ]


def pivots(closes: Sequence[float]) -> Iterator[Pivot]:
    """Every confirmed pivot."""
    for middle in range(2, len(closes) - 2):
        five = closes[middle - 2 : middle + 3]
        others = [*five[:2], *five[3:]]
        turned = five[2] > max(others) or five[2] < min(others)
        if turned and (max(five) - min(five)) / five[2] >= 0.005:
            yield Pivot(five[2], middle)


def sigma(x: float) -> float:
    """The logistic function."""
    return 1 / (1 + math.exp(-min(60, max(-60, x))))


def clip01(x: float) -> float:
    """The nearest number in [0, 1]."""
    return min(1.0, max(0.0, x))


def scores(now: Row, *, volume_known: bool, in_trend: bool, rising: bool) -> dict[str, float]:
    """TS, EDX, OX, DX and its threshold from a bar's indicators."""
    price, atr = now["close"], now["atr"]
    volume = sigma(-now["vo_z"]) if volume_known else 0.5
    strong = now["adx"] >= 18
    ts = 0.6 * sigma(now["rsi_slope"] / 0.5) + 0.4 * strong * sigma(now["adx_slope"] / 0.3)
    edx = (
        0.30 * (sigma(-now["slope250"] / 0.00025) + sigma(-now["slope333"] / 0.0002)) / 2
        + 0.25
        * (0.5 * sigma((now["lower_low_share"] - 0.5) / 0.2) + 0.5 * sigma((now["under_ema60_share"] - 0.4) / 0.2))
        + 0.20 * volume
        + 0.10 * (0.6 * sigma(-now["dsep_mid"] / 0.001) + 0.4 * sigma(-now["dsep_fast"] / 0.0015))
    ) / 0.85
    m = 1 + 0.33 * min(0.5, max(0.0, edx - 0.5)) if in_trend else 1.0
    ox = clip01(
        m
        * (
            0.35 * sigma((price - now["ema20"]) / (1.5 * atr))
            + 0.20 * sigma((price - now["ema60"]) / (2 * atr))
            + 0.10 * sigma((price - now["ema144"]) / (1.5 * atr))
            + 0.10 * sigma((price - now["ema250"]) / (2 * atr))
            + 0.10 * sigma(now["dsep_fast"] / 0.0015)
            + 0.05 * sigma(now["dsep_mid"] / 0.0010)
            + 0.05 * sigma(now["atr_ratio"] - 1)
            + 0.05 * sigma(-now["slope20"] / 0.0008)
        )
    )
    x = clip01((price - now["ema333"]) / (now["ema144"] - now["ema333"]))
    band = (now["ema144"] - now["ema333"]) / price
    dx = clip01(
        (
            0.45 * math.exp(-3 * x) * (1 + 0.3 * sigma((0.03 - band) / 0.02))
            + 0.25 * volume
            + 0.25
            * (
                0.5 * sigma((0.9 - now["atr_ratio"]) / 0.05)
                + 0.25 * sigma(now["rsi_slope"] / 0.5)
                + 0.25 * strong * sigma(now["adx_slope"] / 0.3)
            )
            + 0.05 * rising
        )
        * (1 - 0.5 * min(0.4, max(0.0, edx - 0.6)))
    )
    supp = 0.15 * clip01((edx - 0.5) / 0.2)
    return {"ts": ts, "edx": edx, "ox": ox, "dx": dx, "dx_threshold": 0.60 + supp + (-0.10 + 0.15 * x)}


def boost(found: Sequence[tuple[Any, float, int, float]], anchor: float, atr: float) -> float:
    """The boost by the best level near the anchor."""
    return 0.25 * max((s * max(0.0, 1 - abs(level - anchor) / atr) for _, level, _, s in found), default=0.0)


class State(NamedTuple):
    """State and identifiers of a series after a bar; instants are numbers of bars."""

    state: str
    since: int
    attempt: int | None = None
    trend: int | None = None
    reason: str | None = None


def fast_above_mid(now: Row) -> bool:
    """E20 and E30 above E60."""
    return now["ema20"] > now["ema60"] and now["ema30"] > now["ema60"]


def s0_order(now: Row) -> bool:
    """Every average is below the next slower one."""
    fast = max(now["ema20"], now["ema30"])
    return fast < now["ema60"] and now["ema60"] < now["ema144"] < now["ema250"] < now["ema333"]


def s3_order(now: Row) -> bool:
    """Every average is above the next slower one."""
    return fast_above_mid(now) and now["ema60"] > now["ema144"] > now["ema250"] > now["ema333"]


def states_after(rows: Sequence[Row]) -> list[State | None]:
    """The state after each bar; None before there is a state."""
    found: list[State | None] = []
    for bar in range(len(rows)):
        if bar < 332:
            found.append(None)
        elif bar == 332:
            found.append(State("S0" if s0_order(rows[bar]) else "S4", bar))
        else:
            before = found[-1]
            assert before is not None
            found.append(_after(before._replace(reason=None), rows, bar))
    return found


def _after(before: State, rows: Sequence[Row], bar: int) -> State:
    now = rows[bar]
    close, slowest = now["close"], now["ema333"]
    match before.state:
        case "S4":
            if s0_order(now):
                return State("S0", bar)
            held = bar - before.since >= 19 and all(s3_order(row) for row in rows[bar - 19 : bar + 1])
            return State("S3", bar, None, bar) if held else before
        case "S0":
            return State("S1", bar, bar) if fast_above_mid(now) and close > now["ema60"] else before
        case "S1":
            if s0_order(now):
                return State("S0", bar, reason="trend_failed")
            return before._replace(state="S2", since=bar) if close > slowest else before
        case "S2":
            if close < slowest:
                return before._replace(state="S1", since=bar)
            return before._replace(state="S3", since=bar, trend=bar) if s3_order(now) else before
        case _:
            over = all(now[f"ema{span}"] < slowest for span in (20, 30, 60, 144, 250))
            return State("S0", bar, reason="trend_over") if over else before


def flags(
    rows: Sequence[Row], scores_of_bars: Sequence[Row], states: Sequence[State | None], near: Sequence[Sequence[float]]
) -> list[set[str]]:
    """The flags of each bar, from its indicators, its scores as they are stored, and the prices of its levels."""
    found: list[set[str]] = []
    dipped: set[int] = set()
    for bar, (now, score, state) in enumerate(zip(rows, scores_of_bars, states, strict=True)):
        flags: set[str] = set()
        if state is not None and bar >= 665:
            flags = _flags(now, score, state, near[bar])
            if state.state == "S3":
                before = states[bar - 1]
                late = before is not None and before.state == "S4"
                under = all(row["close"] < row["ema333"] for row in rows[bar - 2 : bar + 1])
                once = late or state.trend in dipped
                flags |= trend_flags(now, score, bar - (state.trend or 0), first=once, third_close_under=under)
                if late:
                    flags -= {"buy_flag", "first_dip_buy_flag"}
                if "first_dip_buy_flag" in flags and state.trend is not None:
                    dipped.add(state.trend)
                if now["close"] >= now["ema333"] and emergency_since_above(rows, found, bar):
                    flags.add("reclaimed_ema333")
        found.append(flags)
    return found


def emergency_since_above(rows: Sequence[Row], flags_of_bars: Sequence[set[str]], bar: int) -> bool:
    """Whether the bars right before this one closed under EMA 333, and one of them flagged an emergency."""
    under = itertools.takewhile(lambda one: rows[one]["close"] < rows[one]["ema333"], range(bar - 1, -1, -1))
    return any("emergency_exit" in flags_of_bars[one] for one in under)


def _flags(now: Row, score: Row, state: State, prices: Sequence[float]) -> set[str]:
    """The flags except those of S3 alone."""
    flags: set[str] = set()
    close, atr = now["close"], now["atr"]
    if state.reason:
        return {"exit_position"}
    if state.state == "S1":
        rising = now["slope60"] > 0 or now["slope144"] >= 0
        if abs(close - now["ema60"]) <= atr and rising and round(score["ts"] + score["boost_ema60"], 9) >= 0.60:
            flags.add("buy_signal")
    if state.state == "S2":
        rising = now["slope250"] > 0 or now["slope333"] >= 0
        good = round(score["ts"] + score["boost_ema333"], 9) >= 0.60
        if abs(close - now["ema333"]) <= 0.5 * atr and rising and good:
            flags.add("buy_flag")
    if state.state in ("S2", "S3") and score["ox"] >= 0.80 and any(abs(p - close) <= atr for p in prices):
        flags.add("trim_flag")
    return flags


def trend_flags(now: Row, score: Row, age: int, *, first: bool, third_close_under: bool = False) -> set[str]:
    """Emergency and entries of S3, `age` bars into the trend."""
    flags: set[str] = set()
    close, atr = now["close"], now["atr"]
    if close < now["ema333"]:
        return {"emergency_exit"} if close < now["ema333"] - 0.5 * atr or third_close_under else set()
    entry = round(score["ts"] + score["boost_ema333"], 9)
    rising = now["slope250"] > 0 or now["slope333"] >= 0
    if close <= now["ema144"] and score["dx"] >= score["dx_threshold"] and rising and entry >= 0.60:
        flags.add("buy_flag")
    fast = age <= 6 and min(abs(close - now["ema20"]), abs(close - now["ema30"])) <= 0.5 * atr
    slow = age <= 12 and abs(close - now["ema60"]) <= 0.5 * atr
    if not first and (fast or slow) and (now["slope144"] > 0 or now["slope250"] >= 0) and entry >= 0.50:
        flags.add("first_dip_buy_flag")
    return flags
