"""How long a session may wait: for a lock, for a statement, and inside a transaction in which nothing happens.

A process can freeze at any instant, with a transaction open. The server ends that transaction after
`idle_in_transaction`, which is shorter than `lock`: who waits for the frozen one's locks gets them and goes on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from strandline.store.roles import Role


@dataclass(frozen=True)
class Timeouts:
    """Zero means no limit."""

    lock: timedelta
    statement: timedelta
    idle_in_transaction: timedelta

    @property
    def parameters(self) -> Mapping[str, str]:
        """The session's parameters of these names, in milliseconds."""
        limits = {
            "lock_timeout": self.lock,
            "statement_timeout": self.statement,
            "idle_in_transaction_session_timeout": self.idle_in_transaction,
        }
        return {name: str(limit // timedelta(milliseconds=1)) for name, limit in limits.items()}


TRADING: Final = Timeouts(
    lock=timedelta(seconds=25), statement=timedelta(seconds=30), idle_in_transaction=timedelta(seconds=10)
)
"""Steps that decide, send and book: their transactions are short."""

COMPUTING: Final = Timeouts(
    lock=timedelta(seconds=25), statement=timedelta(seconds=50), idle_in_transaction=timedelta(seconds=20)
)
"""Steps that work through data between two statements of one transaction."""

LOADING: Final = Timeouts(
    lock=timedelta(minutes=5), statement=timedelta(minutes=10), idle_in_transaction=timedelta(seconds=20)
)
"""Backfills: an hour of a whole market is one statement, and they store one after the other."""

MAINTENANCE: Final = Timeouts(
    lock=timedelta(seconds=10), statement=timedelta(minutes=15), idle_in_transaction=timedelta(minutes=1)
)
"""Keeping house: a day of ticks is read or stored in one go, and nothing waits for it."""

OF_ROLE: Final[Mapping[Role, Timeouts]] = {
    Role.APP: COMPUTING,
    Role.INGEST: Timeouts(
        lock=timedelta(seconds=25), statement=timedelta(seconds=60), idle_in_transaction=timedelta(seconds=20)
    ),
    Role.UI: Timeouts(
        lock=timedelta(seconds=2), statement=timedelta(seconds=15), idle_in_transaction=timedelta(seconds=15)
    ),
    # Migrations rewrite tables, and wait for each other.
    Role.OWNER: Timeouts(lock=timedelta(minutes=5), statement=timedelta(0), idle_in_transaction=timedelta(minutes=10)),
}
"""What a session of this role gets unless it asks for something else."""
