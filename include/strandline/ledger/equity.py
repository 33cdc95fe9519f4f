"""Measures and records the equity of each cycle, with the day start and the peak that the breakers compare it with."""

from datetime import datetime

from sqlalchemy import Connection, text

from strandline.ledger.trades import losing_streak
from strandline.ledger.valuation import Valuation, value
from strandline.model.exact import Money
from strandline.model.record import Record
from strandline.store.rows import from_row, to_row, updates, values

__all__ = ["Equity", "Valuation", "measure", "record", "value"]


class Equity(Record, frozen=True, kw_only=True):
    """The equity of a cycle.

    Deposits and withdrawals shift `day_start` and `peak`; `deposits` is their net sum so far.
    """

    cycle: datetime
    equity: Money
    cash: Money
    day_start: Money
    peak: Money
    losing_streak: int
    oldest_mark_at: datetime | None
    deposits: Money


def record(connection: Connection, now: Equity) -> None:
    """Store the equity of a cycle, or replace it. The cycle's own row must exist."""
    row = to_row(now)
    connection.execute(
        text(f"""
        INSERT INTO equity {values(row)} ON CONFLICT (cycle_t) DO UPDATE SET {updates(row, key=["cycle_t"])}
        """),
        row,
    )


def measure(connection: Connection, cycle: datetime, worth: Valuation) -> Equity:
    """Build the cycle's equity from the valuation and from the equity that the cycle before it recorded."""
    before = _before(connection, cycle)
    deposits = _deposits(connection)
    day_start = peak = worth.equity
    if before is not None:
        deposited = deposits - before.deposits
        peak = max(peak, before.peak + deposited)
        if before.cycle.date() == cycle.date():
            day_start = before.day_start + deposited
    return Equity(
        cycle=cycle,
        equity=worth.equity,
        cash=worth.cash,
        day_start=day_start,
        peak=peak,
        losing_streak=losing_streak(connection),
        oldest_mark_at=worth.oldest_mark_at,
        deposits=deposits,
    )


def _before(connection: Connection, cycle: datetime) -> Equity | None:
    """The newest equity that an earlier cycle recorded, less those that a person voided."""
    row = connection.execute(
        text("""
        SELECT e.* FROM equity e JOIN cycles c USING (cycle_t)
        WHERE cycle_t < :cycle AND c.outcome <> 'voided' ORDER BY cycle_t DESC LIMIT 1
        """),
        {"cycle": cycle},
    ).one_or_none()
    return None if row is None else from_row(Equity, row)


def _deposits(connection: Connection) -> Money:
    """Sum all deposits less withdrawals that are booked, whatever their time: a venue may report one late."""
    return Money(
        connection.scalar(
            text("SELECT COALESCE(sum(usd), 0) FROM cash_events WHERE cause IN ('deposit', 'withdrawal')")
        )
        or 0
    )
