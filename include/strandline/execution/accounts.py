"""Our accounts at the venues: known to the database, numbering their orders, and worked by one process at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

from strandline.ledger.account import Account
from strandline.store.rows import to_row

PATIENCE = timedelta(seconds=5)
"""How long to wait for another process that works the same account. It may be a dead one that is not gone yet."""

_LOCK_NOT_AVAILABLE: Final = "55P03"


def register(connection: Connection, account: Account) -> None:
    """Make the account known; everything that is booked refers to it."""
    connection.execute(
        text("""
        INSERT INTO venue_accounts (token_chain, book_id, address) VALUES (:token_chain, :book_id, :address)
        ON CONFLICT DO NOTHING
        """),
        to_row(account),
    )


def is_open(connection: Connection, account: Account) -> bool:
    """Whether the account's opening balances are booked. An order before that would be in them, and be booked twice."""
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
    """A number that this account never used: the time in milliseconds, as venues want it, or one more than the last.

    It is taken in the transaction that writes the order down, so that no other order can have it.
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
    """Wait a little until nobody else works this account, then go on in any case.

    This saves work and is no fence: nothing rests on it. Its connection leaves the pool and is closed at the end, since
    a session keeps its advisory locks when it goes back into a pool.
    """
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.detach()
        connection.execute(
            text("SELECT set_config('lock_timeout', :patience, false)"),
            {"patience": f"{PATIENCE // timedelta(milliseconds=1)}ms"},
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
