"""The caps on entries: per token, per venue, in total, and the venue's free cash."""

from collections.abc import Mapping

from strandline.model.exact import Money
from strandline.model.strategy import Strategy
from strandline.pm import reasons as why
from strandline.pm.allocation import Token, token_of
from strandline.pm.inputs import CycleInputs, RowInputs
from strandline.pm.rounding import cents, percent

_NONE = Money(0)


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
            self._take(row, max(row.position.holding.cost, _worth(row)))
            self.reserve(row, row.reserved)

    def room_for(self, row: RowInputs, wanted: Money, minimum: Money) -> tuple[Money, tuple[str, ...]]:
        """As much of an entry as every cap leaves room for, and the caps that cut it; nothing if less than `minimum`.

        Nothing is reserved yet.
        """
        room = self._room(row)
        notional = cents(min(wanted, *room.values()))
        if notional >= minimum:
            return notional, tuple(name for name, left in room.items() if left < wanted)
        return _NONE, tuple(name for name, left in room.items() if cents(left) < minimum)

    def reserve(self, row: RowInputs, notional: Money) -> None:
        """Take the notional out of what every cap of the row leaves."""
        venue = str(row.position.key.venue)
        self._take(row, notional)
        self._cash[venue] = self._cash.get(venue, _NONE) - notional

    def _room(self, row: RowInputs) -> Mapping[str, Money]:
        """What each cap leaves for this row; negative where it is exceeded already."""
        token, venue = token_of(row), str(row.position.key.venue)
        return {
            why.CAP_TOKEN: self._per_token - self._of_token.get(token, _NONE),
            why.CAP_VENUE: self._per_venue - self._of_venue.get(venue, _NONE),
            why.CAP_TOTAL: self._total_room,
            why.FREE_CASH: self._cash.get(venue, _NONE),
        }

    def _take(self, row: RowInputs, money: Money) -> None:
        token, venue = token_of(row), str(row.position.key.venue)
        self._of_token[token] = self._of_token.get(token, _NONE) + money
        self._of_venue[venue] = self._of_venue.get(venue, _NONE) + money
        self._total_room = self._total_room - money


def _worth(row: RowInputs) -> Money:
    mark = row.price or row.mark
    return _NONE if mark is None else mark.price * row.position.holding.quantity
