"""Values cash, holdings and dust at given prices."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, text

from strandline.ledger.settlement import DOLLARS
from strandline.model.exact import Amount, Money, Quantity
from strandline.model.mark import Mark
from strandline.model.venue import VenueKey
from strandline.store.rows import from_row


class Valuation(NamedTuple):
    """The value of the portfolio.

    `unpriced` names what has no price: a holding counts at its cost, other assets and dust count as nothing, and the
    planner makes no entries.
    """

    equity: Money
    cash: Money
    oldest_mark_at: datetime | None
    unpriced: tuple[str, ...]


class _Item(NamedTuple):
    name: str
    worth: Money
    priced: bool = True
    marked_at: datetime | None = None


def value(connection: Connection, marks: Mapping[int, Mark], assets: Mapping[str, Mark]) -> Valuation:
    """Value everything at these marks: `marks` by instrument, `assets` by name for cash other than dollars, as SOL."""
    cash = list(_cash(connection, assets))
    items = [*cash, *_held(connection, marks)]
    return Valuation(
        equity=_total(items),
        cash=_total(cash),
        oldest_mark_at=min((item.marked_at for item in items if item.marked_at is not None), default=None),
        unpriced=tuple(item.name for item in items if not item.priced),
    )


def _cash(connection: Connection, assets: Mapping[str, Mark]) -> Iterator[_Item]:
    for row in connection.execute(text("SELECT asset, sum(amount) AS amount FROM cash GROUP BY asset ORDER BY asset")):
        mark = assets.get(row.asset)
        if row.asset == DOLLARS:
            yield _Item(row.asset, Money(row.amount))
        elif mark is None:
            yield _Item(row.asset, Money(0), priced=not row.amount)
        else:
            yield _Item(row.asset, Amount(row.amount).at(mark.price), marked_at=mark.observed_at)


def _held(connection: Connection, marks: Mapping[int, Mark]) -> Iterator[_Item]:
    """Value holdings and dust. On margin, where nothing was paid, a holding adds its unrealised profit only."""
    rows = connection.execute(
        text("""
        SELECT token_chain, book_id, token_contract, instrument_id, margined,
               sum(quantity) AS quantity, sum(cost) AS cost
        FROM (
          SELECT token_chain, book_id, token_contract, quantity, cost
          FROM holdings JOIN positions USING (position_id) WHERE quantity > 0
          UNION ALL
          SELECT token_chain, book_id, token_contract, quantity, 0 FROM dust WHERE quantity > 0
        ) AS held
        LEFT JOIN instruments USING (token_chain, book_id, token_contract)
        LEFT JOIN (SELECT DISTINCT token_chain, book_id, margined FROM venue_accounts) AS venues
          USING (token_chain, book_id)
        GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3
        """)
    )
    for row in rows:
        venue = from_row(VenueKey, row)
        mark = marks.get(row.instrument_id)
        cost = Money(row.cost)
        unpaid = cost if row.margined else Money(0)
        worth = cost if mark is None else mark.price * Quantity(row.quantity)
        yield _Item(
            name=f"{venue}/{row.token_contract}",
            worth=worth - unpaid,
            priced=mark is not None,
            marked_at=None if mark is None else mark.observed_at,
        )


def _total(items: list[_Item]) -> Money:
    total = Money(0)
    for item in items:
        total = total + item.worth
    return total
