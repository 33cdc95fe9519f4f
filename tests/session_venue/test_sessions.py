"""A venue that closes: its gaps have names, and both ranges of its signals are what they should be.

The sessions are written down here a second time, by hand.
"""

import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import pytest
from sqlalchemy import Connection, text

from strandline.bars import roll_up
from strandline.cli.ingest import _venue_clients
from strandline.configuration import make_settings
from strandline.controls.positions import insert_positions
from strandline.cycle.engine_step import run_engine
from strandline.engine import as_bars
from strandline.engine.bars import GAPS, gap_number
from strandline.feeds.instruments import listed_instruments, upsert_instruments
from strandline.feeds.tick_buffer import TickBuffer
from strandline.model.exact import Ratio
from strandline.model.position import PositionKey
from strandline.model.timeframe import Timeframe
from strandline.settings import Mode
from strandline.store.connect_async import connect_async
from strandline.store.roles import Role
from strandline.strategy import load_strategy
from strandline.venues import registry
from tests.bars.rows import Candle, Tick, add_candles, add_ticks
from tests.conftest import Database, Server
from tests.engine import reference
from tests.session_venue.curb import CURB, CURB_SHARES
from tests.session_venue.curb.feed import LISTED

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

NEW_YORK = ZoneInfo("America/New_York")
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
HOLIDAYS = {
    *("2025-06-19", "2025-07-04", "2025-09-01", "2025-11-27", "2025-12-25", "2026-01-01", "2026-01-19", "2026-02-16"),
    *("2026-04-03", "2026-05-25", "2026-06-19", "2026-07-03", "2026-09-07", "2026-11-26", "2026-12-25"),
}
EARLY_CLOSES = {"2025-07-03", "2025-11-28", "2025-12-24", "2026-11-27", "2026-12-24"}
FIRST, LAST = date(2025, 6, 2), date(2026, 12, 4)

# Every minute is traded on these days; on all others every hour, which is enough for the longer timeframes.
WATCHED = ("2026-03-05", "2026-03-06", "2026-03-09", "2026-07-01", "2026-07-02", "2026-07-06", "2026-11-24",
           "2026-11-25", "2026-11-27", "2026-11-30", "2026-12-01")  # fmt: skip


class Session(NamedTuple):
    opens: datetime
    closes: datetime


def sessions() -> Iterator[Session]:
    """Every session of New York."""
    for number in range((LAST - FIRST).days + 1):
        day = FIRST + number * DAY
        if day.weekday() < 5 and str(day) not in HOLIDAYS:
            hours = (time(9, 30), time(13) if str(day) in EARLY_CLOSES else time(16))
            yield Session(*(datetime.combine(day, hour, NEW_YORK).astimezone(UTC) for hour in hours))


def minutes() -> Iterator[datetime]:
    """Every minute with a trade."""
    for opens, closes in sessions():
        step = MINUTE if str(opens.astimezone(NEW_YORK).date()) in WATCHED else HOUR
        yield from (opens + number * step for number in range(-((opens - closes) // step)))
        if step > MINUTE:
            yield closes - MINUTE


def expected_gap(before: datetime, after: datetime) -> str:
    """The gap between two trades, by the days that lie between."""
    first, last = (instant.astimezone(NEW_YORK).date() for instant in (before, after))
    between = [first + number * DAY for number in range(1, (last - first).days)]
    if first == last:
        return "quiet"
    if any(day.weekday() < 5 for day in between):
        return "holiday"
    return "weekend" if between else "overnight"


def expected_gaps(timeframe: Timeframe) -> dict[datetime, str | None]:
    """The gap before each bar but the first."""
    bars: dict[datetime, list[datetime]] = {}
    for minute in minutes():
        bars.setdefault(timeframe.start_of(minute), []).append(minute)
    return {
        start: expected_gap(trades[-1], later[0]) if end + timeframe.length < start else None
        for (end, trades), (start, later) in pairwise(bars.items())
    }


MINUTES = list(minutes())
_RANDOM = np.random.default_rng(8)
_JUMPS = [1.0, *(1.0 if b - a < 2 * HOUR else float(_RANDOM.normal(1, 0.02)) for a, b in pairwise(MINUTES))]
PRICES = 100 * np.cumprod(np.array(_JUMPS) * np.exp(_RANDOM.normal(0, 0.0005, len(MINUTES))))


def trade(connection: Connection, instrument_id: int) -> None:
    """Every minute has a trade or a candle of two prices: of the watched days there are trades."""
    watched = [str(minute.astimezone(NEW_YORK).date()) in WATCHED for minute in MINUTES]
    days = sorted({minute.date() for minute, seen in zip(MINUTES, watched, strict=True) if seen})
    for day in days:
        connection.execute(text("SELECT ensure_tick_partitions(:day, :day)"), {"day": day})
    ticks, candles = [], []
    for number, (minute, seen) in enumerate(zip(MINUTES, watched, strict=True)):
        first, second = float(PRICES[number]), float(PRICES[number]) * 1.0004
        if seen:
            ticks += [Tick(instrument_id, minute + MINUTE / 3 * part, 2 * number + part, one)
                      for part, one in enumerate((first, second), 1)]  # fmt: skip
        else:
            candles.append(Candle(instrument_id, minute, first, second, first, second, 2.0, 2))
    add_ticks(connection, ticks)
    add_candles(connection, candles)


class Traded(NamedTuple):
    database: Database
    instruments: Mapping[str, int]


@pytest.fixture(scope="module")
def traded(server: Server, template: str) -> Iterator[Traded]:
    """Both instruments, registered as the sidecar does it, with the same trades, rolled up and stepped."""
    database = server.create(template)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "VENUES", [*registry.VENUES, CURB])
        settings = make_settings(mode=Mode.PAPER, hyperliquid_enabled=False, solana_enabled=False)
        clock = lambda: MINUTES[0]  # noqa: E731
        feeds, _ = _venue_clients(settings, TickBuffer(clock), clock)
        (feed,) = (feed for feed in feeds if feed.venue == CURB_SHARES)

        async def register() -> dict[str, int]:
            connection = await connect_async(database.url, Role.INGEST)
            try:
                await upsert_instruments(connection, CURB_SHARES, await feed.listings(LISTED))
                return await listed_instruments(connection, CURB_SHARES)
            finally:
                await connection.close()

        instruments = asyncio.run(register())
    app = database.engine(Role.APP)
    with app.begin() as connection:
        insert_positions(
            connection,
            [
                (PositionKey(venue=CURB_SHARES, token_contract=token, timeframe=timeframe), Ratio(1))
                for token in LISTED
                for timeframe in Timeframe
            ],
        )
    with database.session() as connection:
        for instrument_id in instruments.values():
            trade(connection, instrument_id)
    roll_up(app, MINUTES[-1] + 2 * DAY)
    strategy = load_strategy(settings)
    for cycle in sorted(
        {*(opens + HOUR for opens, _ in sessions() if str(opens.date()) in WATCHED), MINUTES[-1] + 2 * DAY}
    ):
        run_engine(app, strategy, cycle)
    yield Traded(database, instruments)
    app.dispose()
    server.drop(database)


def bars(traded: Traded, token: str, timeframe: Timeframe) -> list[Any]:
    with traded.database.session() as connection:
        return list(
            connection.execute(
                text("SELECT * FROM bars WHERE (instrument_id, timeframe) = (:number, :timeframe) ORDER BY ts"),
                {"number": traded.instruments[token], "timeframe": timeframe.value},
            )
        )


def signals(traded: Traded, token: str, timeframe: Timeframe) -> dict[datetime, Any]:
    with traded.database.session() as connection:
        rows = connection.execute(
            text("""
            SELECT ts, uptrend_engine_v4 FROM features
            WHERE (instrument_id, timeframe) = (:number, :timeframe) ORDER BY ts
            """),
            {"number": traded.instruments[token], "timeframe": timeframe.value},
        )
        return {ts: signal for ts, signal in rows}  # noqa: C416  a row is a pair


@pytest.mark.parametrize("timeframe", Timeframe)
def test_every_gap_has_its_name(traded: Traded, timeframe: Timeframe) -> None:
    first, *others = bars(traded, "ACME", timeframe)
    assert first.gap_type is None
    assert {bar.ts: bar.gap_type for bar in others} == expected_gaps(timeframe)


def test_the_gaps_of_known_weeks(traded: Traded) -> None:
    """The clocks change on 8 March and 1 November; 3 July stands for the 4th; 27 November closes at one."""
    found = {bar.ts: bar.gap_type for bar in bars(traded, "ACME", Timeframe.M1) if bar.gap_type not in (None, "quiet")}
    for ts, gap in {
        "2026-03-06 14:30": "overnight",
        "2026-03-09 13:30": "weekend",
        "2026-07-02 13:30": "overnight",
        "2026-07-06 13:30": "holiday",
        "2026-11-02 14:30": "weekend",
        "2026-11-25 14:30": "overnight",
        "2026-11-27 14:30": "holiday",
        "2026-11-30 14:30": "weekend",
        "2026-12-01 14:30": "overnight",
    }.items():
        assert found[datetime.fromisoformat(f"{ts}+00:00")] == gap, ts
    minutes = [bar.ts for bar in bars(traded, "ACME", Timeframe.M1)]
    closes = {"2026-03-06": "20:59", "2026-03-09": "19:59", "2026-11-25": "20:59", "2026-11-27": "17:59"}
    assert {day: f"{max(ts for ts in minutes if str(ts.date()) == day):%H:%M}" for day in closes} == closes


def test_without_a_calendar_they_are_quiet(traded: Traded) -> None:
    found = bars(traded, "ALWAYS", Timeframe.M1)
    assert {bar.gap_type for bar in found} == {None, "quiet"}
    assert [bar.gap_magnitude_pct for bar in found] == [
        bar.gap_magnitude_pct for bar in bars(traded, "ACME", Timeframe.M1)
    ]


@pytest.mark.parametrize("timeframe", Timeframe)
@pytest.mark.parametrize("token", LISTED)
def test_signals_have_both_ranges_and_the_gap(traded: Traded, token: str, timeframe: Timeframe) -> None:
    every = bars(traded, token, timeframe)
    found = signals(traded, token, timeframe)
    wanted = wanted_ranges(every, full=timeframe in ("4h", "1d"))
    assert len(found) >= min(120, len(every) - 332) > 0
    for bar, want in zip(every, wanted.itertuples(), strict=True):
        if bar.ts in found:
            signal = found[bar.ts]
            got = signal["indicators"]
            assert [got[name] for name in ("session_atr", "full_atr", "atr")] == pytest.approx(
                [want.session_atr, want.full_atr, want.atr], rel=1e-9
            )
            gap = (signal["gap_detected"], signal["gap_magnitude_pct"], signal["gap_type"])
            assert gap == (bar.gap_detected, bar.gap_magnitude_pct, bar.gap_type)
    apart = max(one["indicators"]["full_atr"] / one["indicators"]["session_atr"] for one in found.values())
    assert apart > 1.05 if token == "ACME" else apart == 1


def wanted_ranges(bars: list[Any], *, full: bool) -> pd.DataFrame:
    """Both ranges of each bar, by the slow reference implementation."""
    columns = as_bars(
        *([int(bar.ts.timestamp() * 1_000_000) for bar in bars], [bar.revision for bar in bars]),
        *([getattr(bar, name) for bar in bars] for name in ("open", "high", "low", "close", "volume")),
        *([gap_number(bar.gap_type) for bar in bars], [bar.gap_magnitude_pct for bar in bars], [full] * len(bars)),
    )
    return reference.indicators(columns)


def test_signals_were_seen_of_every_kind_of_gap(traded: Traded) -> None:
    """Otherwise the test above would say less than it seems to."""
    found = {
        signal["gap_type"]
        for timeframe in (Timeframe.M1, Timeframe.M5)
        for signal in signals(traded, "ACME", timeframe).values()
    }
    assert found >= {"overnight", "weekend", "holiday", None}
    assert set(GAPS) > {None}


def test_no_bar_is_made_up(traded: Traded) -> None:
    """A window of so many bars has so many bars with trades in it, however long the venue was closed."""
    for timeframe in Timeframe:
        found = bars(traded, "ACME", timeframe)
        assert [bar.ts for bar in found] == sorted({timeframe.start_of(minute) for minute in MINUTES})
        assert all(bar.ticks > 0 for bar in found)
        last = list(signals(traded, "ACME", timeframe).values())[-1]
        assert last["bar_count"] == len(found)
