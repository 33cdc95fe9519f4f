"""The orders of our clients that stand in one coin's book."""

from bisect import insort
from collections.abc import Iterator
from decimal import Decimal

from strandline_sim.hyperliquid.orders import Order


class RestingBook:
    """Best price first; at the same price, whoever came first."""

    def __init__(self) -> None:
        self._bids: list[Order] = []
        self._asks: list[Order] = []

    def add(self, order: Order) -> None:
        """Put it in its place."""
        insort(self._side(order.spec.is_buy), order, key=_rank)

    def remove(self, order: Order) -> None:
        """Take it out, if it is there."""
        side = self._side(order.spec.is_buy)
        for place, other in enumerate(side):
            if other.oid == order.oid:
                del side[place]
                return

    def best(self, is_buy: bool) -> Order | None:
        """The first of the bids, or of the asks."""
        side = self._side(is_buy)
        return side[0] if side else None

    def within(self, is_buy: bool, px: Decimal) -> list[Order]:
        """Those bids or asks that trade at this price, best first."""
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
