"""Makes the market's order book around the last price; the venue adds its clients' orders."""

from collections.abc import Callable
from decimal import Decimal
from typing import Final, NamedTuple

from strandline.model.record import require
from strandline_sim.market.price_grid import Floats
from strandline_sim.market.seeded_random import SeededRandom
from strandline_sim.market.symbol_path import Path

_CHANGE_INTERVAL_MS: Final = 500
_MAX_STEP: Final = 3
_DEPTH_FIGURES: Final = (4,) * 20 + (3,) * 20 + (2,) * 20
_FADING: Final = 0.01
"""The distance from the best price at which there are half as many dollars per step behind the book."""


class Level(NamedTuple):
    """The orders at one price."""

    price: Decimal
    size: Decimal
    orders: int


class Book(NamedTuple):
    """Bids from the highest down, asks from the lowest up."""

    bids: list[Level]
    asks: list[Level]


def best_prices(path: Path, at_ms: int) -> tuple[int, int]:
    """Return the best bid and ask in whole units: around the last price, at least one step apart."""
    last = path.last_price(at_ms)
    half = last * path.spec.spread_bps / 20_000
    bid = path.grid.down(max(int(last - half), 1))
    return bid, max(path.grid.up(int(last + half)), bid + path.grid.step(bid))


def make_book(path: Path, random: SeededRandom, at_ms: int, levels: int) -> Book:
    """Make the book, with about the symbol's liquidity within 1 % of the best prices."""
    require(levels >= 1, "a book has one level or more on each side")
    draws = random.generator(path.spec.symbol, "book", at_ms // _CHANGE_INTERVAL_MS).random((2, levels, 3))
    bid, ask = best_prices(path, at_ms)
    grid = path.grid
    return Book(
        _side(path, bid, draws[0], lambda units: grid.down(max(units - 1, 1))),
        _side(path, ask, draws[1], lambda units: grid.up(units + 1)),
    )


def make_depth(path: Path, random: SeededRandom, at_ms: int, book: Book) -> Book:
    """Make the levels behind a book: twenty at prices of four significant figures, then of three, then of two."""
    shape = (2, len(_DEPTH_FIGURES), 2)
    draws = random.generator(path.spec.symbol, "depth", at_ms // _CHANGE_INTERVAL_MS).random(shape)
    return Book(_behind(path, book.bids, draws[0], is_bid=True), _behind(path, book.asks, draws[1], is_bid=False))


def _side(path: Path, start: int, draws: Floats, next_price: Callable[[int], int]) -> list[Level]:
    """Make the levels of one side from the best price outwards; they end where prices do."""
    spec = path.spec
    lots_per_unit = _lots_per_unit(path, start)
    found: list[Level] = []
    price = before = start
    for distance, depth, count in draws.tolist():
        width = max(abs(price - before), path.grid.step(start))
        lots = max(int(lots_per_unit * width * (0.4 + 1.2 * depth)), 1)
        size = Decimal(lots).scaleb(-spec.size_decimals)
        found.append(Level(path.grid.price(price), size, 1 + int(count * 8)))
        before = price
        for _ in range(1 + int(distance * _MAX_STEP)):
            price = next_price(price)
        if price == before:
            break
    return found


def _behind(path: Path, side: list[Level], draws: Floats, *, is_bid: bool) -> list[Level]:
    """Make the levels behind one side, which fade with the distance."""
    spec = path.spec
    start, before = (int(level.price.scaleb(spec.price_decimals)) for level in (side[0], side[-1]))
    lots_per_unit = _lots_per_unit(path, start)
    found: list[Level] = []
    for figures, (depth, count) in zip(_DEPTH_FIGURES, draws.tolist(), strict=True):
        inside = before - 1 if is_bid else before
        if not inside:
            break
        step = max(path.grid.step(inside), 10 ** max(len(str(inside)) - figures, 0))
        price = inside // step * step if is_bid else (inside // step + 1) * step
        fading = 1 + abs(price - start) / start / _FADING
        lots = max(int(lots_per_unit * abs(price - before) * (0.4 + 1.2 * depth) / fading), 1)
        found.append(Level(path.grid.price(price), Decimal(lots).scaleb(-spec.size_decimals), 1 + int(count * 8)))
        before = price
    return found


def _lots_per_unit(path: Path, start: int) -> float:
    """Return the lots for each unit of price near the best price."""
    spec = path.spec
    return float(spec.liquidity * 100 / start / (start / 10**spec.price_decimals) * 10**spec.size_decimals)
