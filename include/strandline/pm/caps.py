"""What entries may still take, of a token, of a venue, of everything, and of the venue's cash."""

from collections.abc import Mapping
from dataclasses import dataclass

from strandline.model.exact import Money
from strandline.model.strategy import Strategy
from strandline.pm import reasons as why
from strandline.pm.allocation import Token, cost, reserved, token_of
from strandline.pm.inputs import CycleInputs, Row
from strandline.pm.proposals import Buy
from strandline.pm.rounding import cents, percent

_NONE = Money(0)


@dataclass(frozen=True)
class Grant:
    """What of an entry fits under the caps, or None if that is not worth an order; and the caps that cut it."""

    notional: Money | None
    cut_by: tuple[str, ...]


class Caps:
    """Each entry of a plan reserves its notional before the next one is sized; open entries have done so already.

    A row counts with what it cost or with what it is worth, whichever is more: neither a rise nor a fall makes room.
    """

    def __init__(self, inputs: CycleInputs, strategy: Strategy) -> None:
        equity = inputs.equity or _NONE
        self._per_token = equity * percent(strategy.allocation.max_position_pct)
        self._per_venue = equity * percent(strategy.allocation.max_venue_pct)
        self._total_room = equity * percent(strategy.allocation.max_total_pct)
        self._of_token: dict[Token, Money] = {}
        self._of_venue: dict[str, Money] = {}
        self._cash = dict(inputs.free_cash)
        for row in inputs.rows:
            self._take(row, max(cost(row), _worth(row)))
            self.reserve(row, reserved(row))

    def grant(self, row: Row, buy: Buy) -> Grant:
        """As much of the entry as every cap leaves room for. Nothing is reserved yet."""
        room = self._room(row)
        notional = cents(min(buy.notional, *room.values()))
        if notional >= buy.least:
            return Grant(notional, tuple(name for name, left in room.items() if left < buy.notional))
        return Grant(None, tuple(name for name, left in room.items() if cents(left) < buy.least))

    def reserve(self, row: Row, notional: Money) -> None:
        """Take it out of every room of the row."""
        venue = str(row.position.key.venue)
        self._take(row, notional)
        self._cash[venue] = self._cash.get(venue, _NONE) - notional

    def _room(self, row: Row) -> Mapping[str, Money]:
        """What each cap leaves for this row; below zero where it is exceeded already."""
        token, venue = token_of(row), str(row.position.key.venue)
        return {
            why.CAP_TOKEN: self._per_token - self._of_token.get(token, _NONE),
            why.CAP_VENUE: self._per_venue - self._of_venue.get(venue, _NONE),
            why.CAP_TOTAL: self._total_room,
            why.FREE_CASH: self._cash.get(venue, _NONE),
        }

    def _take(self, row: Row, money: Money) -> None:
        token, venue = token_of(row), str(row.position.key.venue)
        self._of_token[token] = self._of_token.get(token, _NONE) + money
        self._of_venue[venue] = self._of_venue.get(venue, _NONE) + money
        self._total_room = self._total_room - money


def _worth(row: Row) -> Money:
    known = row.price or row.mark
    return _NONE if known is None else known.price * row.position.holding.quantity
