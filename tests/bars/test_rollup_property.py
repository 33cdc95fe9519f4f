"""Whatever the order of arrival and the times of rollups, the bars are those of the reference implementation."""

from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise
from typing import Any, NamedTuple
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, text

from strandline.bars import minutes, roll_up
from tests.bars.reference import expected_bars, expected_gaps
from tests.bars.rows import (
    MINUTE,
    Candle,
    Tick,
    add_candles,
    add_instruments,
    add_ticks,
    stored_bars,
    stored_gaps,
)

DAY = datetime(2026, 1, 5, tzinfo=UTC)
# Close together around the end of a day, where all timeframes end; and sometimes far away.
MINUTES = st.one_of(st.integers(-20, 20), st.integers(-300, 300), st.integers(-1500, 1500))
PRICES = st.floats(0.001, 100_000)
SIZES = st.floats(1e-9, 1e6)
SHARED_WITH_ONE_DATABASE = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=60
)


class Arrival(NamedTuple):
    """A batch that is committed, and the end of the rollup that follows."""

    ticks: list[Tick]
    candles: list[Candle]
    until: datetime


@st.composite
def ticks(draw: st.DrawFn) -> Tick:
    """A trade of the stream, REST or an archive, or a polled price; of one of two instruments."""
    minute, offset = draw(MINUTES), draw(st.sampled_from([0, 1, 1, 30_000_000, 59_999_999]))
    kind = draw(st.sampled_from("tttp"))
    is_faulty = draw(st.integers(0, 15)) == 0
    return Tick(
        instrument_id=draw(st.integers(0, 1)),
        ts=DAY + minute * MINUTE + timedelta(microseconds=offset),
        trade_id=draw(st.integers(-3 if kind == "t" else 0, 5)),
        price=-1.0 if is_faulty else draw(PRICES),
        size=None if kind == "p" else draw(SIZES),
        side=None if kind == "p" else draw(st.sampled_from("bs")),
        kind=kind,
        source=draw(st.sampled_from("sssra")),
    )


@st.composite
def candles(draw: st.DrawFn) -> Candle:
    """A candle; one without trades is no bar."""
    low, first, last, high = sorted(draw(st.lists(PRICES, min_size=4, max_size=4)))
    volume = draw(st.one_of(st.just(0.0), SIZES))
    trades = draw(st.one_of(st.none(), st.integers(1, 50)))
    return Candle(draw(st.integers(0, 1)), DAY + draw(MINUTES) * MINUTE, first, high, low, last, volume, trades)


@st.composite
def histories(draw: st.DrawFn) -> list[Arrival]:
    """Arrivals in batches; the last rollup is late enough for everything."""
    ticks_drawn = draw(
        st.lists(ticks(), max_size=40, unique_by=lambda tick: (tick.ts, tick.instrument_id, tick.trade_id))
    )
    candles_drawn = draw(st.lists(candles(), max_size=12, unique_by=lambda candle: candle[:2]))
    batches = draw(st.integers(1, 4))
    where = st.integers(0, batches - 1)
    tick_batches = [draw(where) for _ in ticks_drawn]
    candle_batches = [draw(where) for _ in candles_drawn]
    return [
        Arrival(
            [tick for tick, batch in zip(ticks_drawn, tick_batches, strict=True) if batch == number],
            [candle for candle, batch in zip(candles_drawn, candle_batches, strict=True) if batch == number],
            DAY + (timedelta(days=4) if number == batches - 1 else draw(MINUTES) * MINUTE),
        )
        for number in range(batches)
    ]


@pytest.mark.slow
@SHARED_WITH_ONE_DATABASE
@given(history=histories(), slice_rows=st.sampled_from((1, 5, minutes.SLICE_ROWS)))
def test_the_order_of_arrival_does_not_matter(
    engine: Engine, admin: Connection, history: list[Arrival], slice_rows: int
) -> None:
    instruments = add_instruments(admin, 2)
    all_ticks: list[Tick] = []
    all_candles: list[Candle] = []
    latest = DAY - timedelta(days=1000)
    for arrival in history:
        arrived = [tick._replace(instrument_id=instruments[tick.instrument_id]) for tick in arrival.ticks]
        arrived_candles = [
            candle._replace(instrument_id=instruments[candle.instrument_id]) for candle in arrival.candles
        ]
        all_ticks += arrived
        all_candles += arrived_candles
        add_ticks(admin, arrived)
        add_candles(admin, arrived_candles)
        admin.commit()
        with patch.object(minutes, "SLICE_ROWS", slice_rows):
            roll_up(engine, arrival.until)
        latest = max(latest, arrival.until)
        assert all(start + frame.length <= latest for _, frame, start in stored_bars(admin, instruments))
    bars = expected_bars(all_ticks, all_candles, latest)
    assert stored_bars(admin, instruments) == bars
    assert stored_gaps(admin, instruments) == expected_gaps(bars)
    before = revisions(admin, instruments)
    assert known_in_order(before)
    again = roll_up(engine, latest)
    assert (again.minutes, again.new, again.revised, again.gaps) == (0, {}, {}, 0)
    assert revisions(admin, instruments) == before
    assert not admin.scalar(text("SELECT count(*) FROM dirty_minutes"))


def revisions(connection: Connection, instruments: list[int]) -> list[Any]:
    """Every revision of every bar."""
    return list(
        connection.execute(
            text("""
                SELECT * FROM bar_history WHERE instrument_id = ANY (:instruments)
                ORDER BY instrument_id, timeframe, ts, revision
            """),
            {"instruments": instruments},
        )
    )


def known_in_order(history: list[Any]) -> bool:
    """Whether the revisions of each bar count from zero, with rising known_seq."""
    series = [list(group) for _, group in groupby(history, lambda bar: bar[:3])]
    return all(
        [bar.revision for bar in bars] == list(range(len(bars)))
        and all(one.known_seq < other.known_seq for one, other in pairwise(bars))
        for bars in series
    )
