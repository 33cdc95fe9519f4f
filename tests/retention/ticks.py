"""Ticks for these tests: stored with every bit, and compared by the whole table."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import text

from tests.conftest import Database
from tests.store.rows import insert

DAY = date(2026, 1, 1)
OPEN = datetime(2026, 1, 1, tzinfo=UTC)


class Tick(NamedTuple):
    """A row of the table `ticks`."""

    ts: datetime
    instrument_id: int
    trade_id: int
    price: float
    size: float | None = 1.0
    side: str | None = "b"
    kind: str = "t"
    source: str = "s"


def some(number: int = 200, day: date = DAY) -> list[Tick]:
    """Trades and polled prices over the day, several in some minutes."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    step = timedelta(days=1) / number
    trades = [Tick(start + step * n, 1, n, 100 + n / 7, n / 3, "bs"[n % 2]) for n in range(number)]
    return trades + [Tick(start + step * n, 2, n, 5 + n / 7, None, None, "p", "r") for n in range(0, number, 3)]


def store(database: Database, ticks: Sequence[Tick]) -> None:
    """Insert them; the instruments 1 to 3 exist then."""
    with database.session() as connection:
        for number in range(connection.scalar(text("SELECT count(*) FROM instruments")) or 0, 3):
            insert(connection, "instruments", token_contract=f"C{number}", symbol=f"C{number}")
        for day in sorted({tick.ts.date() for tick in ticks}):
            connection.execute(text("SELECT ensure_tick_partitions(:day, :day)"), {"day": day})
        # As text, because psycopg2 would write -0.0 as a number of another type, which has no such zero.
        rows: list[dict[str, Any]] = [
            tick._asdict() | {"price": repr(tick.price), "size": None if tick.size is None else repr(tick.size)}
            for tick in ticks
        ]
        statement = """
            INSERT INTO ticks VALUES (:ts, :instrument_id, :trade_id, CAST(:price AS double precision),
                                      CAST(:size AS double precision), :side, :kind, :source)
        """
        if rows:
            connection.execute(text(statement), rows)


def checksum(database: Database) -> list[tuple[str, ...]]:
    """Every row of the table in words, and every bit of its numbers."""
    query = """
        SELECT to_jsonb(t)::text, encode(float8send(price), 'hex'), encode(float8send(size), 'hex')
        FROM ticks t ORDER BY ts, instrument_id, trade_id
    """
    with database.session() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def partitions(database: Database) -> list[str]:
    """The days that have one."""
    query = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'ticks'::regclass ORDER BY 1"
    with database.session() as connection:
        return list(connection.scalars(text(query)))
