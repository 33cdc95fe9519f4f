"""What strangers offer: the market's book, less what our clients took out of it."""

from decimal import Decimal

from strandline_sim.hyperliquid.market import MarketData
from strandline_sim.hyperliquid.numbers import ZERO
from strandline_sim.market.book import Book, Level


class Liquidity:
    """The book stands still for one beat of the venue; what was taken comes back with the next."""

    def __init__(self, market: MarketData, beat_ms: int) -> None:
        self._market = market
        self._beat_ms = beat_ms
        self._books: dict[str, tuple[int, Book]] = {}
        self._marks: dict[str, tuple[int, Decimal]] = {}
        self._taken: dict[str, dict[tuple[bool, Decimal], Decimal]] = {}

    def beat_of(self, at: int) -> int:
        """The instant whose book and mark hold."""
        return at - at % self._beat_ms

    def mark(self, coin: str, at: int) -> Decimal:
        """The mark price."""
        beat = self.beat_of(at)
        known = self._marks.get(coin)
        if known is None or known[0] != beat:
            known = self._marks[coin] = (beat, self._market.mark(coin, beat))
        return known[1]

    def book(self, coin: str, at: int) -> Book:
        """What is left of the strangers' book."""
        beat = self.beat_of(at)
        known = self._books.get(coin)
        if known is None or known[0] != beat:
            known = self._books[coin] = (beat, self._market.book(coin, beat))
            self._taken.pop(coin, None)
        taken = self._taken.get(coin)
        if not taken:
            return known[1]
        return Book(_left(known[1].bids, taken, is_bid=True), _left(known[1].asks, taken, is_bid=False))

    def best(self, coin: str, at: int, is_bid: bool) -> Level | None:
        """The best bid or ask that is left."""
        book = self.book(coin, at)
        levels = book.bids if is_bid else book.asks
        return levels[0] if levels else None

    def take(self, coin: str, px: Decimal, size: Decimal, is_bid: bool) -> None:
        """A client traded against this level."""
        taken = self._taken.setdefault(coin, {})
        taken[is_bid, px] = taken.get((is_bid, px), ZERO) + size


def _left(levels: list[Level], taken: dict[tuple[bool, Decimal], Decimal], *, is_bid: bool) -> list[Level]:
    left = (level._replace(size=level.size - taken.get((is_bid, level.price), ZERO)) for level in levels)
    return [level for level in left if level.size > 0]
