"""A database with the bars of the index's members, and what is stored of the market's series."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection, text

from strandline.engine import Bars
from strandline.model.timeframe import Timeframe
from tests.conftest import Database
from tests.engine import samples
from tests.store.rows import insert

MEMBERS: Final = ("BTC", "ETH", "SOL", "BNB", "HYPE")
"""In the order of their ids."""

START: Final = datetime(2024, 1, 1, tzinfo=UTC)
HOUR: Final = Timeframe.H1.length
HOURS: Final = 700
END: Final = START + HOURS * HOUR
SCALES: Final = (60_000.0, 3_000.0, 150.0, 600.0, 40.0)


def member_bars(member: str, count: int = HOURS) -> Bars:
    """Bars of a random walk of this member, at a price of its own."""
    number = MEMBERS.index(member)
    walk = samples.random_bars(40 + number, count, volatility=0.01)
    prices = {name: getattr(walk, name) * SCALES[number] / 100 for name in ("open", "high", "low", "close")}
    return walk._replace(**prices, volume=np.full(count, 10.0))


def add_members(connection: Connection) -> None:
    """Insert the instruments; their ids are their numbers, from 1."""
    for member in MEMBERS:
        insert(connection, "instruments", token_contract=member, symbol=member)


def add_bars(
    connection: Connection,
    member: str,
    bars: Bars,
    first: int = 0,
    until: int | None = None,
    timeframe: Timeframe = Timeframe.H1,
) -> None:
    """Insert these bars of a member, as one rollup does: known together when it commits."""
    part = {name: getattr(bars, name)[first:until].tolist() for name in ("open", "high", "low", "close", "volume")}
    connection.execute(
        text("""
        INSERT INTO bars
          (instrument_id, timeframe, ts, revision, known_seq, open, high, low, close, volume, ticks, source)
        SELECT :member, CAST(:timeframe AS timeframe), ts, 0, (SELECT seq + 1 FROM commit_counter),
               open, high, low, close, volume, 1, 's'
        FROM unnest(
          CAST(:ts AS timestamptz[]), CAST(:open AS double precision[]), CAST(:high AS double precision[]),
          CAST(:low AS double precision[]), CAST(:close AS double precision[]), CAST(:volume AS double precision[])
        ) AS bar (ts, open, high, low, close, volume)
        """),
        {
            "member": MEMBERS.index(member) + 1,
            "timeframe": timeframe.value,
            "ts": [START + (first + number) * timeframe.length for number in range(len(part["close"]))],
            **part,
        },
    )
    connection.execute(text("SELECT next_known_seq()"))


def add_market(database: Database, first: int = 0, until: int = HOURS, members: Sequence[str] = MEMBERS) -> None:
    """Insert the bars of these members from `first` to `until`, and the instruments if there are none."""
    with database.session() as connection:
        if not connection.scalar(text("SELECT count(*) FROM instruments")):
            add_members(connection)
        for member in members:
            add_bars(connection, member, member_bars(member), first, until)


def revise(database: Database, member: str, number: int, close: float, timeframe: Timeframe = Timeframe.H1) -> None:
    """A later revision of a member's bar, with another close."""
    with database.session() as connection:
        connection.execute(
            text("""
            UPDATE bars SET revision = revision + 1, known_seq = (SELECT seq + 1 FROM commit_counter), close = :close,
              high = GREATEST(high, :close), low = LEAST(low, :close)
            WHERE (instrument_id, timeframe, ts) = (:member, CAST(:timeframe AS timeframe), :ts)
            """),
            {
                "member": MEMBERS.index(member) + 1,
                "timeframe": timeframe.value,
                "ts": START + number * timeframe.length,
                "close": close,
            },
        )
        connection.execute(text("SELECT next_known_seq()"))


def current(
    database: Database, series: str = "index", timeframe: str = "1h", newest: int = 100
) -> list[Mapping[str, Any]]:
    """What counts of the newest bars of a series, without what tells how it came to be."""
    with database.session() as connection:
        rows = connection.execute(
            text("""
            SELECT * FROM (
              SELECT DISTINCT ON (ts) ts, open, high, low, close, volume, members, bar_count,
                     at_low, drawdown, phase, shown_phase, shown_bars, input_hash, state_bytes,
                     uptrend_engine_v4 - 'bar_revision' - 'generation' - 'input_hash' AS signal
              FROM regime_bars JOIN regime_states USING (series, timeframe, generation)
              WHERE (series::text, timeframe::text) = (:series, :timeframe)
              ORDER BY ts DESC, revision DESC LIMIT :newest
            ) AS newest ORDER BY ts
            """),
            {"series": series, "timeframe": timeframe, "newest": newest},
        )
        return [dict(row._mapping) for row in rows]


def tables(database: Database) -> list[Any]:
    """The tables that the step writes."""
    with database.session() as connection:
        return [
            connection.execute(text(f"SELECT * FROM {table} ORDER BY 1, 2, 3, 4, 5")).all()
            for table in ("regime_states", "regime_bars")
        ]


def hours(count: int) -> datetime:
    """The end of so many hours."""
    return START + timedelta(hours=count)
