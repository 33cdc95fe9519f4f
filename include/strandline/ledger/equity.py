"""Measures and records the equity of each cycle, with the day start and the peak that the breakers compare it with."""

from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, text

from strandline.ledger.trades import losing_streak
from strandline.ledger.valuation import Valuation, value
from strandline.model.breaker import Breaker
from strandline.model.exact import Money
from strandline.model.record import Record
from strandline.store.rows import from_row, to_row, updates, values

__all__ = ["Equity", "Valuation", "measure", "record", "value"]


class Equity(Record, frozen=True, kw_only=True):
    """The equity of a cycle, and the breakers that are tripped.

    Deposits and withdrawals shift `day_start` and `peak`; `deposits` is their net sum so far. Both are None before an
    equity is `known`: one that holds something without a price counts for neither. `reset_no` is the last order to
    reset the breakers that it takes into account.
    """

    cycle: datetime
    equity: Money
    cash: Money
    day_start: Money | None
    peak: Money | None
    losing_streak: int
    oldest_mark_at: datetime | None
    deposits: Money
    known: bool = True
    breakers: tuple[Breaker, ...] = ()
    reset_no: int = 0


class _Reset(NamedTuple):
    """An order of a person to reset the breakers."""

    number: int
    given_at: datetime | None


_NEVER: Final = _Reset(0, None)


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
    """Build the cycle's equity from the valuation and from the equity that the cycle before it recorded.

    `breakers` are those that are still tripped from before. A reset waits for a known equity, which is the new peak.
    """
    before = _before(connection, cycle)
    deposits, known = _deposits(connection), not worth.unpriced
    reset = _newest_reset(connection, None if known or before is None else before.reset_no)
    was_reset = before is not None and reset.number > before.reset_no
    day_start = peak = None
    breakers: tuple[Breaker, ...] = ()
    if before is not None:
        deposited, same_day = deposits - before.deposits, before.cycle.date() == cycle.date()
        day_start = _moved(before.day_start, deposited) if same_day else None
        peak = None if was_reset else _moved(before.peak, deposited)
        breakers = tuple(one for one in before.breakers if (same_day if one.ends_with_the_day else not was_reset))
    if known:
        day_start = worth.equity if day_start is None else day_start
        peak = worth.equity if peak is None else max(peak, worth.equity)
    return Equity(
        cycle=cycle,
        equity=worth.equity,
        cash=worth.cash,
        day_start=day_start,
        peak=peak,
        losing_streak=losing_streak(connection, reset.given_at),
        oldest_mark_at=worth.oldest_mark_at,
        deposits=deposits,
        known=known,
        breakers=breakers,
        reset_no=reset.number,
    )


def _moved(reference: Money | None, deposited: Money) -> Money | None:
    return None if reference is None else reference + deposited


def _newest_reset(connection: Connection, up_to: int | None) -> _Reset:
    row = connection.execute(
        text("""
        SELECT control_no, given_at FROM controls
        WHERE control = 'reset' AND (CAST(:up_to AS bigint) IS NULL OR control_no <= :up_to)
        ORDER BY control_no DESC LIMIT 1
        """),
        {"up_to": up_to},
    ).one_or_none()
    return _NEVER if row is None else _Reset(row.control_no, row.given_at)


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
