"""However a day is backfilled, and however often, its tables end the same."""

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from strandline.history.archive import archive_units
from strandline.history.rest import rest_units
from strandline.history.units import Unit
from strandline.model.timeframe import Timeframe
from strandline.venues.history import Candle
from strandline.venues.hyperliquid.archive import HyperliquidArchive
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from tests.conftest import Database, Server
from tests.history.archives import HOUR, Trade, write_trades
from tests.history.loading import INSTRUMENTS, NOW, contents, load, register, rows
from tests.store.concurrency import at_once

DAY = datetime(2026, 5, 4, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
WAYS: dict[str, Callable[[list[Unit], list[Unit]], Sequence[Sequence[Unit]]]] = {
    "archive, then candles": lambda archive, candles: [archive, candles],
    "candles, then archive": lambda archive, candles: [candles, archive],
    "backwards": lambda archive, candles: [archive[::-1], candles[::-1]],
    "mixed": lambda archive, candles: [random.Random(1).sample([*archive, *candles], len(archive) + len(candles))],
    "half, then all of it again": lambda archive, candles: [archive[:9], [*candles, *archive], archive, candles],
}


class VenueCandles:
    """A venue that has a candle of every minute but each seventh, some of them with trades that the archive lacks."""

    venue = HYPERLIQUID_PERPS

    async def candles(
        self, token: str, timeframe: Timeframe, since: datetime, as_of: datetime, *, spare: bool = False
    ) -> list[Candle]:
        minutes = [since + number * MINUTE for number in range((as_of - since) // MINUTE)]
        return [
            Candle(ts, 100.0, 103.0, 99.0, 101.5, 7.0, 1 + ts.minute % 4) for ts in minutes if (ts - DAY) // MINUTE % 7
        ]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A day of trades, a few of them in the file of the hour before or after."""
    chance = random.Random(7)
    files: dict[datetime, list[Trade]] = {DAY + number * HOUR: [] for number in range(-1, 25)}
    for number in range(2_000):
        ts = DAY + timedelta(milliseconds=chance.randrange(86_400_000))
        price = f"{100 + chance.random():.2f}"
        trade = Trade(ts, number, chance.choice("BE"), price, f"{chance.random():.3f}1", chance.choice("AB"))
        trade = trade._replace(coin="BTC" if trade.coin == "B" else "ETH")
        home = ts.replace(minute=0, second=0, microsecond=0)
        files[home + chance.choice([0] * 8 + [-1, 1]) * HOUR].append(trade)
    folder = tmp_path_factory.mktemp("archive")
    write_trades(folder, "node_fills_by_block", files)
    return folder


def units_of(archive: Path) -> tuple[list[Unit], list[Unit]]:
    """The units of the day from each source."""
    plan = archive_units(HyperliquidArchive(), archive, INSTRUMENTS, DAY, DAY + 24 * HOUR, NOW)
    return list(plan.units), list(rest_units(VenueCandles(), Timeframe.M1, INSTRUMENTS, DAY, DAY + 24 * HOUR, NOW))


@pytest.mark.slow
def test_a_day_ends_in_the_same_tables(server: Server, template: str, archive: Path) -> None:
    found = {}
    for name, order in WAYS.items():
        database = server.create(template)
        try:
            register(database)
            for units in order(*units_of(archive)):
                load(database, units, bars=True)
            found[name] = contents(database)
            if name == "archive, then candles":
                sources = rows(database, "SELECT source::text FROM bars WHERE timeframe = '1m' GROUP BY 1 ORDER BY 1")
                assert sources == [("a",), ("r",)]
                assert rows(database, "SELECT count(*) FROM ticks") == [(2_000,)]
        finally:
            server.drop(database)
    assert {name: tables == found["mixed"] for name, tables in found.items()} == dict.fromkeys(WAYS, True)


@pytest.mark.slow
def test_several_at_once_end_in_the_same_tables(
    database: Database, server: Server, template: str, archive: Path
) -> None:
    register(database)
    chance = random.Random(3)

    def one() -> None:
        units = [unit for some in units_of(archive) for unit in some]
        load(database, chance.sample(units, len(units)), bars=True)

    assert at_once(one, 4) == []
    alone = server.create(template)
    try:
        register(alone)
        for units in units_of(archive):
            load(alone, units, bars=True)
        assert contents(database) == contents(alone)
    finally:
        server.drop(alone)
