"""The clients' resting orders of one coin."""

from bisect import insort
from collections.abc import Iterator
from decimal import Decimal

from strandline_sim.hyperliquid.orders import Order


class RestingBook:
    """Resting orders in price-time priority."""

    def __init__(self) -> None:
        self._bids: list[Order] = []
        self._asks: list[Order] = []

    def add(self, order: Order) -> None:
        """Add an order."""
        insort(self._side(order.spec.is_buy), order, key=_rank)

    def remove(self, order: Order) -> None:
        """Remove an order, if it is in the book."""
        side = self._side(order.spec.is_buy)
        for index, other in enumerate(side):
            if other.oid == order.oid:
                del side[index]
                return

    def best(self, is_buy: bool) -> Order | None:
        """Return the best bid or ask."""
        side = self._side(is_buy)
        return side[0] if side else None

    def within(self, is_buy: bool, px: Decimal) -> list[Order]:
        """Return the bids or asks that can trade at this price, best first."""
        return [order for order in self._side(is_buy) if order.crosses(px)]

    def __iter__(self) -> Iterator[Order]:
        yield from self._bids
        yield from self._asks

    def __bool__(self) -> bool:
        return bool(self._bids or self._asks)

    def _side(self, is_buy: bool) -> list[Order]:
        return self._bids if is_buy else self._asks


def _rank(order: Order) -> tuple[Decimal, int]:
    return (-order.spec.px if order.spec.is_buy else order.spec.px), order.oid
