"""The days of ticks in the database."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from strandline.retention.content import Content
from strandline.retention.tick_bytes import Ticks, from_bytes

_DAYS: Final = text("""
    SELECT c.relname FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid
    WHERE inhparent = 'ticks'::regclass AND c.relname ~ '^ticks_[0-9]{8}$' ORDER BY c.relname
""")
_NEXT_MINUTE: Final = text("""
    SELECT minute, string_agg(tick_bytes(ts, instrument_id, trade_id, price, size, side, kind, source), ''::bytea
                              ORDER BY ts, instrument_id, trade_id) AS bytes
    FROM (SELECT date_trunc('minute', min(ts), 'UTC') AS minute FROM ticks WHERE ts >= :start AND ts < :end) AS next
    JOIN ticks ON ts >= minute AND ts < minute + interval '1 minute' AND ts >= :start AND ts < :end
    GROUP BY minute
""")
_LOCK_NOT_AVAILABLE: Final = "55P03"
_DEADLOCK: Final = "40P01"
_CONTENT_DIFFERS: Final = "23001"


class Dropping(StrEnum):
    """What came of asking for a partition to be dropped."""

    DROPPED = "dropped"
    GONE = "gone"
    BUSY = "busy"
    """Somebody reads or writes it: it is left for the next time."""
    GREW = "grew"
    """Ticks came in after it was archived: it is archived again the next time."""


def days_before(connection: Connection, day: date) -> list[date]:
    """The days before this one that have a partition, oldest first."""
    names = connection.scalars(_DAYS)
    days = [date.fromisoformat(name.removeprefix("ticks_")) for name in names]
    return [one for one in days if one < day]


def content_of(connection: Connection, day: date) -> Content:
    """What the day contains."""
    row = connection.execute(text("SELECT * FROM tick_day_content(:day)"), {"day": day}).one()
    return Content(row.rows, row.content_hash)


def minutes_of(connection: Connection, day: date) -> Iterator[Ticks]:
    """The ticks of the day in order, a minute at a time."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    end = start + timedelta(days=1)
    while row := connection.execute(_NEXT_MINUTE, {"start": start, "end": end}).one_or_none():
        yield from_bytes(row.bytes)
        start = row.minute + timedelta(minutes=1)


def instrument_names(connection: Connection) -> Mapping[int, str]:
    """What each instrument's number means: venue and contract."""
    rows = connection.execute(text("SELECT instrument_id, token_chain, book_id, token_contract FROM instruments"))
    return {row.instrument_id: f"{row.token_chain}/{row.book_id}/{row.token_contract}" for row in rows}


def drop_day(engine: Engine, day: date, archived: Content) -> Dropping:
    """Drop the day's partition if it contains exactly this, and nobody is in the way."""
    try:
        with engine.execution_options(isolation_level="READ COMMITTED").begin() as connection:
            dropped = connection.scalar(
                text("SELECT drop_tick_partition(:day, :rows, :content_hash)"), {"day": day, **archived._asdict()}
            )
    except DBAPIError as error:
        code = getattr(error.orig, "pgcode", None)
        if code in {_LOCK_NOT_AVAILABLE, _DEADLOCK}:
            return Dropping.BUSY
        if code == _CONTENT_DIFFERS:
            return Dropping.GREW
        raise
    return Dropping.DROPPED if dropped else Dropping.GONE
