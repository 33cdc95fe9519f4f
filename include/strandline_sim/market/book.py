"""The book around the last price. It is the market's own: orders of clients belong to the venue."""

from collections.abc import Callable
from decimal import Decimal
from typing import Final, NamedTuple

from strandline.model.record import require
from strandline_sim.market.price_grid import Floats
from strandline_sim.market.seeded_random import SeededRandom
from strandline_sim.market.symbol_path import Path

_CHANGES_EVERY_MS: Final = 500
_WIDEST_STEP: Final = 3


class Level(NamedTuple):
    """What rests at one price."""

    price: Decimal
    size: Decimal
    orders: int


class Book(NamedTuple):
    """Bids from the highest, asks from the lowest."""

    bids: list[Level]
    asks: list[Level]


def best(path: Path, at_ms: int) -> tuple[int, int]:
    """The best bid and ask in whole units: on both sides of the last price, at least one step apart."""
    last = path.last_price(at_ms)
    half = last * path.spec.spread_bps / 20_000
    bid = path.grid.down(max(int(last - half), 1))
    return bid, max(path.grid.up(int(last + half)), bid + path.grid.step(bid))


def make_book(path: Path, random: SeededRandom, at_ms: int, levels: int) -> Book:
    """Depth that adds up to about the symbol's liquidity within 1 % of the best price."""
    require(levels >= 1, "a book has one level or more on each side")
    chance = random.generator(path.spec.symbol, "book", at_ms // _CHANGES_EVERY_MS).random((2, levels, 3))
    bid, ask = best(path, at_ms)
    grid = path.grid
    return Book(
        _side(path, bid, chance[0], lambda units: grid.down(max(units - 1, 1))),
        _side(path, ask, chance[1], lambda units: grid.up(units + 1)),
    )


def _side(path: Path, start: int, chance: Floats, next_price: Callable[[int], int]) -> list[Level]:
    """From the best price outwards; a side ends where prices do."""
    spec = path.spec
    lots_per_unit = spec.liquidity * 100 / start / (start / 10**spec.price_decimals) * 10**spec.size_decimals
    found: list[Level] = []
    price = before = start
    for distance, luck, crowd in chance.tolist():
        width = max(abs(price - before), path.grid.step(start))
        lots = max(int(lots_per_unit * width * (0.4 + 1.2 * luck)), 1)
        size = Decimal(lots).scaleb(-spec.size_decimals)
        found.append(Level(path.grid.price(price), size, 1 + int(crowd * 8)))
        before = price
        for _ in range(1 + int(distance * _WIDEST_STEP)):
            price = next_price(price)
        if price == before:
            break
    return found
