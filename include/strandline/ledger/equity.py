"""The portfolio's worth at each cycle, and what the breakers compare it with."""

from datetime import datetime

from sqlalchemy import Connection, text

from strandline.ledger.trades import losing_streak
from strandline.ledger.valuation import Valuation, value
from strandline.model.exact import Money
from strandline.model.record import Record

__all__ = ["Equity", "Valuation", "measure", "record", "value"]


class Equity(Record, frozen=True, kw_only=True):
    """`day_start` and `peak` are shifted by later deposits and withdrawals; `deposits` is their net sum so far."""

    cycle: datetime
    equity: Money
    cash: Money
    day_start: Money
    peak: Money
    losing_streak: int
    oldest_mark_at: datetime | None
    deposits: Money


def record(connection: Connection, now: Equity) -> None:
    """Store the equity of a cycle, whose row must exist; done again, the new equity replaces the old."""
    connection.execute(
        text("""
        INSERT INTO equity (cycle_t, equity, cash, day_start, peak, losing_streak, oldest_mark_at, deposits)
        VALUES (:cycle, :equity, :cash, :day_start, :peak, :losing_streak, :oldest_mark_at, :deposits)
        ON CONFLICT (cycle_t) DO UPDATE SET
          equity = EXCLUDED.equity, cash = EXCLUDED.cash, day_start = EXCLUDED.day_start, peak = EXCLUDED.peak,
          losing_streak = EXCLUDED.losing_streak, oldest_mark_at = EXCLUDED.oldest_mark_at,
          deposits = EXCLUDED.deposits
        """),
        {
            "cycle": now.cycle,
            "equity": now.equity.decimal,
            "cash": now.cash.decimal,
            "day_start": now.day_start.decimal,
            "peak": now.peak.decimal,
            "losing_streak": now.losing_streak,
            "oldest_mark_at": now.oldest_mark_at,
            "deposits": now.deposits.decimal,
        },
    )


def measure(connection: Connection, cycle: datetime, worth: Valuation) -> Equity:
    """Compare the worth with the day's start and the peak, as the cycles before this one recorded them."""
    before = connection.execute(
        text("SELECT * FROM equity WHERE cycle_t < :cycle ORDER BY cycle_t DESC LIMIT 1"), {"cycle": cycle}
    ).one_or_none()
    deposits = _deposits(connection)
    day_start = peak = worth.equity
    if before is not None:
        came = deposits - Money(before.deposits)
        peak = max(peak, Money(before.peak) + came)
        if before.cycle_t.date() == cycle.date():
            day_start = Money(before.day_start) + came
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


def _deposits(connection: Connection) -> Money:
    """Deposits less withdrawals, ever; by booking and not by time, because one may be told late."""
    return Money(
        connection.scalar(
            text("SELECT COALESCE(sum(usd), 0) FROM cash_events WHERE cause IN ('deposit', 'withdrawal')")
        )
        or 0
    )
