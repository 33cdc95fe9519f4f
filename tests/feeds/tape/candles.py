"""The venue's candles: built from every trade of the tape, whatever was sent of it."""

from decimal import Decimal
from typing import Any, Final

from tests.feeds.tape.market import Trade

LENGTHS: Final = {"1m": 60_000, "5m": 300_000, "15m": 900_000, "1h": 3_600_000, "4h": 14_400_000, "1d": 86_400_000}
"""Milliseconds."""


class Candle:
    """One candle. The first trade is that of the lowest time and id, the last that of the highest."""

    def __init__(self, trade: Trade) -> None:
        self._first = self._last = (trade.time, trade.tid)
        self.open = self.close = self.high = self.low = trade.px
        self.volume = Decimal(0)
        self.trades = 0
        self.add(trade)

    def add(self, trade: Trade) -> None:
        key = (trade.time, trade.tid)
        if key <= self._first:
            self._first, self.open = key, trade.px
        if key >= self._last:
            self._last, self.close = key, trade.px
        self.high = max(self.high, trade.px, key=float)
        self.low = min(self.low, trade.px, key=float)
        self.volume += Decimal(trade.sz)
        self.trades += 1


class Candles:
    """Every candle of every coin."""

    def __init__(self) -> None:
        self._candles: dict[tuple[str, str], dict[int, Candle]] = {}

    def add(self, trade: Trade, intervals: tuple[str, ...] = tuple(LENGTHS)) -> None:
        for interval in intervals:
            start = trade.time - trade.time % LENGTHS[interval]
            series = self._candles.setdefault((trade.coin, interval), {})
            if start in series:
                series[start].add(trade)
            else:
                series[start] = Candle(trade)

    def series(self, coin: str, interval: str) -> dict[int, Candle]:
        return self._candles.get((coin, interval), {})

    def snapshot(self, coin: str, interval: str, start: int, end: int) -> list[dict[str, Any]]:
        """What `candleSnapshot` answers: the newest five thousand of that time."""
        length = LENGTHS[interval]
        series = self.series(coin, interval)
        chosen = sorted(at for at in series if at + length > start and at <= end)[-5000:]
        return [
            {
                "t": at, "T": at + length - 1, "s": coin, "i": interval, "o": candle.open, "c": candle.close,
                "h": candle.high, "l": candle.low, "v": str(candle.volume), "n": candle.trades,
            }
            for at in chosen
            for candle in (series[at],)
        ]  # fmt: skip
