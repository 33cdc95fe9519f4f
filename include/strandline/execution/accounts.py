"""Our accounts at the venues: registration, nonces, and one process at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

from strandline.ledger.account import Account
from strandline.model.errors import StrandlineError
from strandline.store.rows import to_row

LOCK_TIMEOUT = timedelta(seconds=5)
"""How long to wait for another process that holds the account's lock, or for the session of one that was killed."""

_LOCK_NOT_AVAILABLE: Final = "55P03"


def register(connection: Connection, account: Account, *, margined: bool) -> None:
    """Insert the account, if it is new. Orders, fills and cash events refer to it.

    `margined` stays what it was when the venue was first registered, because the ledger was kept by it; another value
    is refused.
    """
    connection.execute(
        text("""
        INSERT INTO venue_accounts (token_chain, book_id, address, margined)
        VALUES (:token_chain, :book_id, :address, :margined)
        ON CONFLICT DO NOTHING
        """),
        to_row(account) | {"margined": margined},
    )
    differs = text("""
        SELECT EXISTS (SELECT FROM venue_accounts
                       WHERE (token_chain, book_id) = (:token_chain, :book_id) AND margined <> :margined)
    """)
    if connection.scalar(differs, to_row(account) | {"margined": margined}):
        raise StrandlineError(
            f"{account.venue} {'is' if margined else 'is not'} margined, but the ledger has booked it the other way",
            "give the venue's descriptor another key, or the value that it had",
        )


def is_open(connection: Connection, account: Account) -> bool:
    """Whether the opening balances are booked. Before that no order may be sent: they would include its fills."""
    return bool(
        connection.scalar(
            text("""
            SELECT EXISTS (SELECT FROM cash_events
                           WHERE (token_chain, book_id, address) = (:token_chain, :book_id, :address))
            """),
            to_row(account),
        )
    )


def next_nonce(connection: Connection, account: Account, now: datetime) -> int:
    """Allocate a nonce: the time in milliseconds, as venues expect it, or one more than the last.

    Call it in the transaction that stores the order, so that no other order gets the same.
    """
    return int(
        connection.execute(
            text("""
            UPDATE venue_accounts SET last_nonce = GREATEST(:now_ms, last_nonce + 1)
            WHERE (token_chain, book_id, address) = (:token_chain, :book_id, :address)
            RETURNING last_nonce
            """),
            {**to_row(account), "now_ms": int(now.timestamp() * 1000)},
        ).scalar_one()
    )


@contextmanager
def account_lock(engine: Engine, account: Account) -> Iterator[None]:
    """Hold an advisory lock on the account; after `LOCK_TIMEOUT` go on without it.

    It only keeps two processes from doing the same work at the same time: nothing depends on holding it. The connection
    leaves the pool and is closed at the end, since a session keeps its advisory locks when it goes back into a pool.
    """
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.detach()
        connection.execute(
            text("SELECT set_config('lock_timeout', :timeout, false)"),
            {"timeout": f"{LOCK_TIMEOUT // timedelta(milliseconds=1)}ms"},
        )
        try:
            connection.execute(
                text("SELECT pg_advisory_lock(hashtextextended(:name, 0))"),
                {"name": f"strandline/{account.venue}/{account.address}"},
            )
        except OperationalError as error:
            if getattr(error.orig, "pgcode", None) != _LOCK_NOT_AVAILABLE:
                raise
        yield
