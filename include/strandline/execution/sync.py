"""Cash that moved at a venue without an order of ours: how the account opened, and what came, went or was charged."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, Engine, text

from strandline.execution.accounts import register
from strandline.execution.booking import add_cash_events
from strandline.ledger.account import Account, lock_venue
from strandline.model.fill import CashEvent
from strandline.model.venue import VenueKey
from strandline.store.rows import to_row
from strandline.venues.executor import Observer

_OVERLAP: Final = timedelta(hours=1)
"""Asked for again each time, for what a venue tells late."""


def sync_account(engine: Engine, observer: Observer, venue: VenueKey, address: str) -> int:
    """Book what is new; how many events that was. The first time the account's balances become its opening deposits."""
    account = Account(venue, address)
    with engine.begin() as connection:
        register(connection, account)
        opened_at, newest = _known(connection, account)
    if opened_at is None or newest is None:
        return _open(engine, account, observer.opening(address))
    told = observer.cash_events(address, max(opened_at, newest - _OVERLAP))
    # What moved before the books were opened is part of the balances that they were opened with.
    later = [event for event in told if event.ts > opened_at]
    with engine.begin() as connection:
        lock_venue(connection, venue)
        return add_cash_events(connection, account, later)


def _open(engine: Engine, account: Account, balances: tuple[CashEvent, ...]) -> int:
    """Two that open at once have asked at different times; only the first is heard."""
    with engine.begin() as connection:
        lock_venue(connection, account.venue)
        opened_at, _ = _known(connection, account)
        return add_cash_events(connection, account, balances) if opened_at is None else 0


def _known(connection: Connection, account: Account) -> tuple[datetime | None, datetime | None]:
    """When the books were opened, and the newest event of those that the venue tells by itself."""
    row = connection.execute(
        text("""
        SELECT min(ts) AS opened_at, max(ts) FILTER (WHERE cause NOT IN ('gas', 'rent')) AS newest FROM cash_events
        WHERE (token_chain, book_id, address) = (:token_chain, :book_id, :address)
        """),
        to_row(account),
    ).one()
    return row.opened_at, row.newest
