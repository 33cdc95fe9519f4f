"""Loads units into a test's database, as a backfill does, and compares tables."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from strandline.bars import roll_up
from strandline.history.archive import archive_units
from strandline.history.backfill import Backfill, Outcome, backfill
from strandline.history.units import Loaded, Unit
from strandline.store.connect_async import connect_async
from strandline.store.roles import Role
from strandline.store.timeouts import LOADING
from strandline.venues.hyperliquid.archive import HyperliquidArchive
from tests.conftest import Database
from tests.store.rows import insert

NOW = datetime(2026, 6, 1, tzinfo=UTC)
INSTRUMENTS: Mapping[str, int] = {"BTC": 1, "ETH": 2}
TABLES = {
    "ticks": "ts, instrument_id, trade_id, price, size, side, kind, source",
    "venue_candles": "*",
    "bars": "instrument_id, timeframe, ts, open, high, low, close, volume, quote_volume, vwap, ticks, source, outage,"
    " dropped, repaired, gap_detected, gap_magnitude_pct, gap_type",
    "gaps": "*",
    "dirty_minutes": "*",
}
"""The columns that a backfill decides; how often a bar was revised is left to the order of the loads."""


def register(database: Database) -> None:
    """Give BTC the id 1 and ETH the id 2."""
    with database.session() as session:
        for coin in INSTRUMENTS:
            insert(session, "instruments", token_contract=coin, symbol=coin)


def load(database: Database, units: Iterable[Unit], *, again: bool = False, bars: bool = False) -> Backfill:
    """Run a backfill of these units."""
    return asyncio.run(load_in_loop(database, units, again=again, bars=bars))


async def load_in_loop(
    database: Database, units: Iterable[Unit], *, again: bool = False, bars: bool = False
) -> Backfill:
    """Run it in the loop of a test that needs one for the venue, too."""
    connection = await connect_async(database.url, Role.INGEST, LOADING)
    try:
        with app_engine(database) as engine:

            def build(unit: Unit) -> None:
                if bars:
                    roll_up(engine, unit.complete_until)

            done = await backfill(connection, units, again=again, after_unit=build, report=_ignore)
            if bars:
                roll_up(engine, NOW)
    finally:
        await connection.close()
    return done


def load_archive(
    database: Database,
    folder: Path,
    starts_at: datetime,
    ends_at: datetime,
    instruments: Mapping[str, int] = INSTRUMENTS,
    *,
    bars: bool = False,
) -> Backfill:
    """Load an archive."""
    plan = archive_units(HyperliquidArchive(), folder, instruments, starts_at, ends_at, NOW)
    return load(database, plan.units, bars=bars)


@contextmanager
def app_engine(database: Database) -> Iterator[Engine]:
    """An engine that may build bars."""
    engine = database.engine(Role.APP)
    try:
        yield engine
    finally:
        engine.dispose()


def contents(database: Database) -> dict[str, str]:
    """A checksum of each table."""
    with database.session() as session:
        return {
            table: session.execute(
                text(f"SELECT md5(coalesce(string_agg(t::text, E'\\n' ORDER BY t::text), '')) FROM (SELECT {columns}"
                     f" FROM {table}) AS t")
            ).scalar_one()
            for table, columns in TABLES.items()
        }  # fmt: skip


def rows(database: Database, statement: str) -> list[tuple[Any, ...]]:
    """What a statement returns."""
    with database.session() as session:
        return [tuple(row) for row in session.execute(text(statement))]


def _ignore(name: str, outcome: Outcome, loaded: Loaded) -> None:
    pass
