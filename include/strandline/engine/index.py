"""The market's index: the mean of its members' returns, chained bar by bar.

Prices are never averaged: a member counts by what it gained or lost since the bar before, whatever it costs, and one
that appears or disappears moves nothing.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from math import fsum
from typing import Final, NamedTuple, TypeAlias

FIRST_LEVEL: Final = 100.0


class MemberBar(NamedTuple):
    """A bar of one member; its volume in quote currency, None if it is unknown."""

    open: float
    high: float
    low: float
    close: float
    quote_volume: float | None


class IndexBar(NamedTuple):
    """A bar of the index, and the members that it was made of; the volume is unknown if one of theirs is."""

    ts: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float | None
    members: tuple[str, ...]


MemberBars: TypeAlias = tuple[datetime, Mapping[str, MemberBar]]
"""The start of a bar, and the members that have one."""


def index_bars(bars: Iterable[MemberBars], level: float = FIRST_LEVEL) -> Iterator[IndexBar]:
    """Chain the returns of these bars, which come oldest first, to an index that closed the first of them at `level`.

    A bar without a member that the one before it has as well leaves the index where it is, and makes no bar of it.
    """
    before: Mapping[str, MemberBar] | None = None
    for ts, now in bars:
        shared = [] if before is None else sorted(now.keys() & before.keys())
        if before is not None and shared:
            bar = _chained(ts, level, [(name, now[name], before[name].close) for name in shared])
            level = bar.close
            yield bar
        before = now


def _chained(ts: datetime, level: float, members: list[tuple[str, MemberBar, float]]) -> IndexBar:
    """The bar that follows a close of `level`. Exact sums do not depend on the order of the members."""
    returns = [[price / last for price in (bar.open, bar.high, bar.low, bar.close)] for _, bar, last in members]
    open_, high, low, close = (level * (fsum(column) / len(members)) for column in zip(*returns, strict=True))
    volumes = [bar.quote_volume for _, bar, _ in members if bar.quote_volume is not None]
    return IndexBar(
        ts,
        open_,
        high,
        low,
        close,
        fsum(volumes) if len(volumes) == len(members) else None,
        tuple(name for name, _, _ in members),
    )
