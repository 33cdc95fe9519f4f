"""The bars that must be there, computed from the tape without SQL and without the library."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from tests.feeds.tape.candles import LENGTHS

_MINUTE: Final = LENGTHS["1m"]


class Print(NamedTuple):
    """A trade as numbers, in the order in which trades count: by time and id."""

    time: int
    tid: int
    px: float
    sz: float


class Bar(NamedTuple):
    """The columns of `bars` that follow from the data."""

    open: float
    high: float
    low: float
    close: float
    volume: float
    quote_volume: float | None
    vwap: float | None
    ticks: int
    source: str
    outage: bool
    dropped: int
    repaired: bool
    gap_detected: bool = False
    gap_magnitude_pct: float = 0.0
    gap_type: str | None = None


class Numbers(NamedTuple):
    """A candle as the database stores it."""

    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: int


class Marks(NamedTuple):
    """What is known to be missing in a minute: an outage, dropped ticks, and whether all of it was repaired."""

    outage: bool = False
    dropped: int = 0
    repaired: bool = False


def minute_of_trades(prints: Iterable[Print], source: str, marks: Marks) -> Bar:
    """The bar of these trades."""
    ordered = sorted(prints)
    volume = quote = 0.0
    for number, one in enumerate(ordered):
        volume = one.sz if number == 0 else volume + one.sz
        quote = one.px * one.sz if number == 0 else quote + one.px * one.sz
    prices = [one.px for one in ordered]
    return Bar(
        prices[0], max(prices), min(prices), prices[-1], volume, quote, quote / volume, len(prices), source, *marks
    )


def minute_of_candle(candle: Numbers, marks: Marks) -> Bar:
    """The bar that the venue's candle stands in for."""
    return Bar(*candle[:5], None, None, candle.trades, "r", *marks)


def all_bars(
    minutes: Mapping[int, Bar], candles: Callable[[str], Mapping[int, Numbers]], until: int
) -> dict[tuple[str, int], Bar]:
    """Every bar of one coin that is final at `until`, from those of a minute."""
    found: dict[tuple[str, int], Bar] = {}
    for timeframe, length in LENGTHS.items():
        parts: dict[int, list[Bar]] = {}
        for start in sorted(minutes):
            parts.setdefault(start - start % length, []).append(minutes[start])
        series = {start: part[0] if length == _MINUTE else _combined(part) for start, part in parts.items()}
        if length > _MINUTE:
            for start, candle in candles(timeframe).items():
                if start not in series or series[start].ticks < candle.trades:
                    series[start] = minute_of_candle(candle, Marks())
        final = {start: bar for start, bar in series.items() if start + length <= until}
        found |= {(timeframe, start): bar for start, bar in _with_gaps(final, length).items()}
    return found


def _combined(part: Sequence[Bar]) -> Bar:
    volume, quote = part[0].volume, part[0].quote_volume
    for bar in part[1:]:
        volume += bar.volume
        quote = None if quote is None or bar.quote_volume is None else quote + bar.quote_volume
    return Bar(
        part[0].open,
        max(bar.high for bar in part),
        min(bar.low for bar in part),
        part[-1].close,
        volume,
        quote,
        None if quote is None else quote / volume,
        sum(bar.ticks for bar in part),
        max((bar.source for bar in part), key="sar".index),
        any(bar.outage for bar in part),
        sum(bar.dropped for bar in part),
        any(bar.repaired for bar in part) and all(bar.repaired or not (bar.outage or bar.dropped) for bar in part),
    )


def _with_gaps(series: Mapping[int, Bar], length: int) -> dict[int, Bar]:
    found = dict(series)
    for before, after in pairwise(sorted(series)):
        if before + length < after:
            magnitude = (series[after].open / series[before].close - 1) * 100
            outage = series[after].outage or series[before].outage
            found[after] = series[after]._replace(
                gap_detected=True, gap_magnitude_pct=magnitude, gap_type="outage" if outage else "quiet"
            )
    return found
