"""Books the cash events that a venue reports: opening balances, deposits, withdrawals, funding."""

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
"""The time before the newest event that is requested again, because a venue may report an event late."""


def sync_account(engine: Engine, observer: Observer, venue: VenueKey, address: str, *, margined: bool) -> int:
    """Book new cash events and return their number. The first time, the account is registered and its balances are
    booked as opening deposits.
    """
    account = Account(venue, address)
    with engine.begin() as connection:
        register(connection, account, margined=margined)
        opened_at, newest = _booked_times(connection, account)
    if opened_at is None or newest is None:
        return _open(engine, account, observer.opening(address))
    reported = observer.cash_events(address, max(opened_at, newest - _OVERLAP))
    # What moved before the opening is part of the opening balances.
    later = [event for event in reported if event.ts > opened_at]
    with engine.begin() as connection:
        lock_venue(connection, venue)
        return add_cash_events(connection, account, later)


def _open(engine: Engine, account: Account, balances: tuple[CashEvent, ...]) -> int:
    """Book the opening balances, unless another process has booked its own first."""
    with engine.begin() as connection:
        lock_venue(connection, account.venue)
        opened_at, _ = _booked_times(connection, account)
        return add_cash_events(connection, account, balances) if opened_at is None else 0


def _booked_times(connection: Connection, account: Account) -> tuple[datetime | None, datetime | None]:
    """Read the time of the opening, and of the newest event that no order of ours has caused."""
    row = connection.execute(
        text("""
        SELECT min(ts) AS opened_at, max(ts) FILTER (WHERE cause NOT IN ('gas', 'rent')) AS newest FROM cash_events
        WHERE (token_chain, book_id, address) = (:token_chain, :book_id, :address)
        """),
        to_row(account),
    ).one()
    return row.opened_at, row.newest
