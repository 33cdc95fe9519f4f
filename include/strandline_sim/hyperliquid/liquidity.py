"""The market's book, less what clients have taken from it."""

from decimal import Decimal

from strandline_sim.hyperliquid.market import MarketData
from strandline_sim.hyperliquid.numbers import ZERO
from strandline_sim.market.book import Book, Level


class Liquidity:
    """Book and mark, which change at each update of the venue; an update restores what was taken."""

    def __init__(self, market: MarketData, update_ms: int) -> None:
        self._market = market
        self._update_ms = update_ms
        self._books: dict[str, tuple[int, Book]] = {}
        self._depths: dict[str, tuple[int, Book]] = {}
        self._marks: dict[str, tuple[int, Decimal]] = {}
        self._taken: dict[str, dict[tuple[bool, Decimal], Decimal]] = {}

    def update_time(self, at: int) -> int:
        """Return the time of the update that is in effect."""
        return at - at % self._update_ms

    def mark(self, coin: str, at: int) -> Decimal:
        """Return the mark price."""
        update = self.update_time(at)
        known = self._marks.get(coin)
        if known is None or known[0] != update:
            known = self._marks[coin] = (update, self._market.mark(coin, update))
        return known[1]

    def book(self, coin: str, at: int) -> Book:
        """Return the rest of the market's book."""
        update = self.update_time(at)
        known = self._books.get(coin)
        if known is None or known[0] != update:
            known = self._books[coin] = (update, self._market.book(coin, update))
            self._taken.pop(coin, None)
        return self._remaining(coin, known[1])

    def deep_book(self, coin: str, at: int) -> Book:
        """Return the rest of the market's book with the levels behind it, which few ask for."""
        book, update = self.book(coin, at), self.update_time(at)
        known = self._depths.get(coin)
        if known is None or known[0] != update:
            known = self._depths[coin] = (update, self._market.depth(coin, update))
        depth = self._remaining(coin, known[1])
        return Book(book.bids + depth.bids, book.asks + depth.asks)

    def best(self, coin: str, at: int, is_bid: bool) -> Level | None:
        """Return the best bid or ask that is left."""
        for make in (self.book, self.deep_book):
            book = make(coin, at)
            if levels := book.bids if is_bid else book.asks:
                return levels[0]
        return None

    def take(self, coin: str, px: Decimal, size: Decimal, is_bid: bool) -> None:
        """Take a size from a level."""
        taken = self._taken.setdefault(coin, {})
        taken[is_bid, px] = taken.get((is_bid, px), ZERO) + size

    def _remaining(self, coin: str, book: Book) -> Book:
        taken = self._taken.get(coin)
        if not taken:
            return book
        return Book(_remaining_levels(book.bids, taken, is_bid=True), _remaining_levels(book.asks, taken, is_bid=False))


def _remaining_levels(levels: list[Level], taken: dict[tuple[bool, Decimal], Decimal], *, is_bid: bool) -> list[Level]:
    left = (level._replace(size=level.size - taken.get((is_bid, level.price), ZERO)) for level in levels)
    return [level for level in left if level.size > 0]
