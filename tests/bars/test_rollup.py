"""The rollup, case by case."""

from datetime import UTC, datetime, timedelta
from math import inf, nan
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, text

from strandline.bars import minutes, roll_up
from strandline.model.timeframe import Timeframe
from tests.bars.reference import expected_bars
from tests.bars.rows import (
    MARK_DIRTY,
    MINUTE,
    Candle,
    Tick,
    add_candles,
    add_instruments,
    add_ticks,
    stored_bars,
    stored_gaps,
)
from tests.conftest import Database
from tests.store.concurrency import at_once, waiting_sessions

T0 = datetime(2026, 1, 5, 10, tzinfo=UTC)
M1, M5, M15, H1 = Timeframe.M1, Timeframe.M5, Timeframe.M15, Timeframe.H1


@pytest.fixture
def btc(admin: Connection) -> int:
    """The id of an instrument."""
    (instrument_id,) = add_instruments(admin, 1)
    admin.commit()
    return instrument_id


def insert_ticks(admin: Connection, *ticks: Tick) -> None:
    """Commit ticks as the sidecar does."""
    add_ticks(admin, ticks)
    admin.commit()


def history(admin: Connection, instrument_id: int, timeframe: Timeframe, ts: datetime) -> list[Any]:
    """Number and close of every revision of a bar."""
    rows = admin.execute(
        text("""
            SELECT revision, close FROM bar_history
            WHERE instrument_id = :instrument_id AND timeframe = :timeframe AND ts = :ts ORDER BY revision
        """),
        {"instrument_id": instrument_id, "timeframe": timeframe.value, "ts": ts},
    )
    return [tuple(row) for row in rows]


def known_seq(admin: Connection) -> int:
    """The newest known_seq."""
    return int(admin.execute(text("SELECT seq FROM commit_counter")).scalar_one())


def test_a_bar_is_half_open(engine: Engine, admin: Connection, btc: int) -> None:
    instant = timedelta(microseconds=1)
    for number, ts in enumerate([T0 - instant, T0, T0 + MINUTE - instant, T0 + MINUTE]):
        insert_ticks(admin, Tick(btc, ts, 1, price=100.0 + number))
    roll_up(engine, T0 + 5 * MINUTE)
    bars = stored_bars(admin, [btc])
    minutes = {start: (bar.open, bar.close) for (_, frame, start), bar in bars.items() if frame is M1}
    assert minutes == {T0 - MINUTE: (100, 100), T0: (101, 102), T0 + MINUTE: (103, 103)}
    fives = {start: (bar.open, bar.close) for (_, frame, start), bar in bars.items() if frame is M5}
    assert fives == {T0 - 5 * MINUTE: (100, 100), T0: (101, 103)}


def test_a_minute_that_is_not_over_stays_dirty(engine: Engine, admin: Connection, btc: int) -> None:
    insert_ticks(admin, Tick(btc, T0, 1), Tick(btc, T0 + MINUTE, 2))
    almost = T0 + 2 * MINUTE - timedelta(microseconds=1)
    assert roll_up(engine, almost).new == {M1: 1}
    assert admin.scalars(text("SELECT minute FROM dirty_minutes")).all() == [T0 + MINUTE]
    assert roll_up(engine, T0 + 2 * MINUTE).new == {M1: 1}


@pytest.mark.parametrize("settings", ["", "SET enable_indexscan = off; SET enable_bitmapscan = off"])
def test_trades_are_ordered_by_id_whatever_the_order_of_arrival_or_the_query_plan(
    engine: Engine, admin: Connection, btc: int, settings: str
) -> None:
    event.listen(engine, "begin", lambda connection: connection.execute(text(settings)) if settings else None)
    for trade_id, size in ((2, 1.0), (3, 1.0), (1, 1e16)):
        insert_ticks(admin, Tick(btc, T0, trade_id, price=float(trade_id), size=size))
    roll_up(engine, T0 + MINUTE)
    bar = stored_bars(admin, [btc])[btc, M1, T0]
    assert (bar.open, bar.high, bar.low, bar.close) == (1, 3, 1, 3)
    assert bar.volume == 1e16 + 1.0 + 1.0 != 1.0 + 1.0 + 1e16


def test_a_late_tick_makes_a_revision_and_keeps_the_old(engine: Engine, admin: Connection, btc: int) -> None:
    insert_ticks(admin, Tick(btc, T0, 1, price=100))
    first = roll_up(engine, T0 + 5 * MINUTE)
    insert_ticks(admin, Tick(btc, T0, 2, price=101))
    second = roll_up(engine, T0 + 10 * MINUTE)
    assert (first.new, first.revised) == ({M1: 1, M5: 1}, {})
    assert (second.new, second.revised) == ({}, {M1: 1, M5: 1})
    assert second.known_seq == first.known_seq + 1 == known_seq(admin)
    assert history(admin, btc, M1, T0) == history(admin, btc, M5, T0) == [(0, 100), (1, 101)]


def test_dirty_minutes_without_changes_write_nothing(engine: Engine, admin: Connection, btc: int) -> None:
    insert_ticks(admin, Tick(btc, T0, 1), Tick(btc, T0 + 3 * MINUTE, 2))
    before = roll_up(engine, T0 + 5 * MINUTE)
    admin.execute(MARK_DIRTY, [{"instrument_id": btc, "ts": T0}] * 3)
    admin.commit()
    again = roll_up(engine, T0 + 5 * MINUTE)
    assert again == (1, {}, {}, 0, before.known_seq)
    assert known_seq(admin) == before.known_seq


def test_better_sources_replace_worse_ones_and_never_mix(engine: Engine, admin: Connection, btc: int) -> None:
    until, seen = T0 + 5 * MINUTE, []
    polled = Tick(btc, T0, 1, price=100, size=None, side=None, kind="p", source="r")
    archived, streamed = Tick(btc, T0, -2, price=102, source="a"), Tick(btc, T0, 3, price=103)
    for step in (
        [polled],
        Candle(btc, T0, 100, 105, 99, 101, 7, None),
        [archived],
        [streamed],
        [polled._replace(ts=T0 + MINUTE / 2)],
    ):
        if isinstance(step, Candle):
            add_candles(admin, [step])
        else:
            add_ticks(admin, step)
        admin.commit()
        roll_up(engine, until)
        bar = stored_bars(admin, [btc])[btc, M1, T0]
        seen.append((bar.close, bar.volume, bar.ticks, bar.source))
    assert seen == [(100, None, 1, "r"), (101, 7, 0, "r"), (102, 1, 1, "a"), (103, 1, 1, "s"), (103, 1, 1, "s")]
    assert [revision for revision, _ in history(admin, btc, M5, T0)] == [0, 1, 2, 3]


def test_streamed_and_archived_trades_with_the_venues_ids_are_one_set(
    engine: Engine, admin: Connection, btc: int
) -> None:
    """An archive brings the trades that were not received."""
    insert_ticks(admin, Tick(btc, T0, 1, price=101), Tick(btc, T0 + MINUTE / 2, 3, price=99))
    insert_ticks(admin, Tick(btc, T0, 2, price=102, source="a"), Tick(btc, T0 + MINUTE / 2, 4, price=98, source="a"))
    roll_up(engine, T0 + MINUTE)
    bar = stored_bars(admin, [btc])[btc, M1, T0]
    assert (bar.open, bar.high, bar.low, bar.close, bar.ticks) == (101, 102, 98, 98, 4)


@pytest.mark.parametrize(
    ("candle_trades", "close", "source"), [(None, 97, "a"), (0, 97, "a"), (1, 101, "s"), (2, 97, "a")]
)
def test_an_archive_without_ids_that_has_more_trades_comes_first_unless_a_candle_proves_the_stream(
    engine: Engine, admin: Connection, btc: int, candle_trades: int | None, close: float, source: str
) -> None:
    """After an outage that is older than the candles that the venue serves, only the archive has all trades."""
    insert_ticks(admin, Tick(btc, T0, 1, price=101))
    insert_ticks(admin, Tick(btc, T0, -5, price=101, source="a"), Tick(btc, T0 + MINUTE / 2, -4, price=97, source="a"))
    if candle_trades is not None:
        prices = (101, 101, 97, 97) if candle_trades == 2 else (101, 101, 101, 101)
        add_candles(admin, [Candle(btc, T0, *prices, candle_trades or 1, candle_trades)])
    admin.commit()
    roll_up(engine, T0 + MINUTE)
    bar = stored_bars(admin, [btc])[btc, M1, T0]
    assert (bar.close, bar.source) == (close, source)


FAULTY = Tick(0, T0, 9, price=-1.0)
CANDLE = Candle(0, T0, 100, 105, 99, 103, 7, 3)


@pytest.mark.parametrize(
    ("faulty", "others", "candle", "close", "source"),
    [
        (FAULTY, [], CANDLE, 103, "r"),
        (FAULTY._replace(price=nan), [], CANDLE, 103, "r"),
        (FAULTY._replace(price=inf), [], CANDLE, 103, "r"),
        (FAULTY._replace(price=1.0, size=0.0), [], CANDLE, 103, "r"),
        (FAULTY._replace(price=1.0, size=nan), [], CANDLE, 103, "r"),
        (FAULTY._replace(price=1.0, size=None), [], CANDLE, 103, "r"),
        (FAULTY._replace(price=1.0, side=None), [], CANDLE, 103, "r"),
        (FAULTY, [Tick(0, T0, -1, price=50, source="a")], None, 50, "a"),
        (FAULTY, [Tick(0, T0, 5, 60, None, None, "p", "r")], None, 60, "r"),
        (FAULTY, [], None, -1, "s"),  # there is nothing better: the quality gate withholds it
        (FAULTY._replace(kind="p", price=1.0, size=None, side=None), [], None, 1, "s"),  # polled prices have no size
    ],
)
def test_a_source_with_a_faulty_tick_comes_after_all_others(
    engine: Engine,
    admin: Connection,
    btc: int,
    faulty: Tick,
    others: list[Tick],
    candle: Candle,
    close: float,
    source: str,
) -> None:
    good = Tick(btc, T0, 1) if faulty.kind == "t" else Tick(btc, T0, 1, 1.0, None, None, "p")
    add_ticks(admin, [good, *(tick._replace(instrument_id=btc) for tick in (faulty, *others))])
    if candle:
        add_candles(admin, [candle._replace(instrument_id=btc)])
    admin.commit()
    roll_up(engine, T0 + 5 * MINUTE)
    for frame in (M1, M5):
        bar = stored_bars(admin, [btc])[btc, frame, T0]
        assert (bar.close, bar.source) == (close, source)


def test_the_venues_candle_replaces_a_minute_that_was_received_in_part(
    engine: Engine, admin: Connection, btc: int
) -> None:
    """As the minute in which the stream began."""
    add_ticks(admin, [Tick(btc, T0 + MINUTE / 2, 9, price=103)])
    admin.commit()
    roll_up(engine, T0 + MINUTE)
    add_candles(admin, [Candle(btc, T0, 100, 105, 99, 103, 7, 5)])
    admin.commit()
    roll_up(engine, T0 + MINUTE)
    bar = stored_bars(admin, [btc])[btc, M1, T0]
    assert (bar.open, bar.high, bar.low, bar.close, bar.ticks, bar.source) == (100, 105, 99, 103, 5, "r")


@pytest.mark.parametrize(
    ("changed", "source"),
    [
        ({}, "s"),
        ({"open": 100.0099}, "s"),
        ({"open": 100.0101}, "r"),
        ({"high": 101.0101}, "s"),
        ({"high": 101.0102}, "r"),
        ({"low": 98.9902}, "s"),
        ({"low": 98.99}, "r"),
        ({"close": 98.9902}, "s"),
        ({"close": 98.99}, "r"),
        ({"volume": 3.00299}, "s"),
        ({"volume": 3.0031}, "r"),
        ({"volume": 2.996}, "r"),
        ({"volume": 3.0031, "trades": 2}, "s"),  # it was fetched before it was complete
        ({"volume": 3.0031, "trades": None}, "s"),  # nobody knows what it counts
        ({"trades": 4}, "r"),
    ],
)
def test_a_candle_with_other_numbers_replaces_as_many_trades(
    engine: Engine, admin: Connection, btc: int, changed: dict[str, Any], source: str
) -> None:
    """Nothing says which of the trades is wrong, and the venue's candle is what others see."""
    add_ticks(admin, [Tick(btc, T0 + number * MINUTE / 3, number, price=price) for number, price in enumerate(PRICES)])
    admin.commit()
    roll_up(engine, T0 + MINUTE)
    add_candles(admin, [Candle(btc, T0, 100, 101, 99, 99, 3, 3)._replace(**changed)])
    admin.commit()
    for _ in range(2):
        roll_up(engine, T0 + MINUTE)
        admin.execute(MARK_DIRTY, {"instrument_id": btc, "ts": T0})
        admin.commit()
    assert stored_bars(admin, [btc])[btc, M1, T0].source == source
    assert len(history(admin, btc, M1, T0)) == (1 if source == "s" else 2)


PRICES = (100.0, 101.0, 99.0)


def add_hour_candle(
    admin: Connection, instrument_id: int, ts: datetime, *, volume: float = 50, trades: int = 60
) -> None:
    """Commit the venue's candle of an hour, with its last minute dirty as the history does."""
    values = {"id": instrument_id, "ts": ts, "volume": volume, "trades": trades}
    admin.execute(
        text("""
            INSERT INTO venue_candles
              (instrument_id, timeframe, ts, open, high, low, close, volume, trades, fetched_at)
            VALUES (:id, '1h', :ts, 90, 110, 80, 105, :volume, :trades, now());
            INSERT INTO dirty_minutes VALUES (:id, CAST(:ts AS timestamptz) + interval '59 minutes');
        """),
        values,
    )
    admin.commit()


def test_a_candle_of_its_own_length_stands_in_for_a_bar_without_minutes(
    engine: Engine, admin: Connection, btc: int
) -> None:
    add_hour_candle(admin, btc, T0)
    add_hour_candle(admin, btc, T0 + H1.length, volume=0)  # without trades there is no bar
    assert roll_up(engine, T0 + H1.length - timedelta(microseconds=1)).new == {}
    assert roll_up(engine, T0 + 3 * H1.length).new == {H1: 1}
    bar = stored_bars(admin, [btc])[btc, H1, T0]
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume, bar.ticks, bar.source) == (
        90,
        110,
        80,
        105,
        50,
        60,
        "r",
    )
    assert roll_up(engine, T0 + 3 * H1.length) == (0, {}, {}, 0, 1)


@pytest.mark.parametrize(("trades", "close"), [(3, 101), (2, 101), (4, 105)])
def test_it_comes_first_where_the_minutes_do_not_cover_the_bar(
    engine: Engine, admin: Connection, btc: int, trades: int, close: float
) -> None:
    add_hour_candle(admin, btc, T0, trades=trades)
    insert_ticks(admin, *(Tick(btc, T0 + (20 + number) * MINUTE, number, price=101) for number in range(3)))
    roll_up(engine, T0 + H1.length)
    bars = stored_bars(admin, [btc])
    assert bars[btc, H1, T0].close == close
    assert bars[btc, M15, T0 + 15 * MINUTE].close == 101


def test_minutes_that_arrive_later_replace_it(engine: Engine, admin: Connection, btc: int) -> None:
    add_hour_candle(admin, btc, T0, trades=3)
    insert_ticks(admin, Tick(btc, T0 + 20 * MINUTE, 1, price=101))
    roll_up(engine, T0 + H1.length)
    insert_ticks(admin, *(Tick(btc, T0 + 30 * MINUTE, number, price=102, source="a") for number in (2, 3)))
    assert roll_up(engine, T0 + H1.length).revised == {H1: 1}
    assert history(admin, btc, H1, T0) == [(0, 105), (1, 102)]


def test_a_candle_without_trades_is_no_bar(engine: Engine, admin: Connection, btc: int) -> None:
    add_candles(admin, [Candle(btc, T0, 100, 100, 100, 100, 0, 0)])
    admin.commit()
    assert roll_up(engine, T0 + 5 * MINUTE) == (1, {}, {}, 0, 0)


def test_a_higher_bar_is_built_when_it_is_over_even_without_new_ticks(
    engine: Engine, admin: Connection, btc: int
) -> None:
    insert_ticks(admin, Tick(btc, T0, 1))
    built = [
        roll_up(engine, until).new for until in (T0 + MINUTE, T0 + 10 * MINUTE, T0 + 59 * MINUTE, T0 + 5 * 60 * MINUTE)
    ]
    assert built == [{M1: 1}, {M5: 1}, {M15: 1}, {H1: 1, Timeframe.H4: 1}]


def test_an_older_cycle_run_again_also_revises_bars_of_newer_cycles(
    engine: Engine, admin: Connection, btc: int
) -> None:
    insert_ticks(admin, Tick(btc, T0, 1, price=100), Tick(btc, T0 + 20 * MINUTE, 2))
    roll_up(engine, T0 + 30 * MINUTE)
    insert_ticks(admin, Tick(btc, T0 + MINUTE, 3, price=101))
    again = roll_up(engine, T0 + 5 * MINUTE)
    assert again.revised == {M1: 1, M5: 2, M15: 1}  # where a gap follows, the bar behind it as well
    assert history(admin, btc, M15, T0) == [(0, 100), (1, 101)]


def test_an_older_cycle_builds_no_bar_that_is_not_over(engine: Engine, admin: Connection, btc: int) -> None:
    insert_ticks(admin, Tick(btc, T0, 1), Tick(btc, T0 + 4 * MINUTE, 2))
    assert roll_up(engine, T0 + MINUTE).new == {M1: 1}
    assert roll_up(engine, T0).new == {}
    assert roll_up(engine, T0 + 5 * MINUTE).new == {M1: 1, M5: 1}


def mark_dirty(admin: Connection, instrument_id: int, first: datetime, minutes: int) -> None:
    """Commit a tick in each of these minutes."""
    add_ticks(admin, [Tick(instrument_id, first + number * MINUTE, number) for number in range(minutes)])
    admin.commit()


@pytest.fixture
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minutes, "SLICE_ROWS", 100)


@pytest.mark.usefixtures("small_slices")
def test_a_days_backlog_builds_each_bar_once(engine: Engine, admin: Connection, btc: int) -> None:
    day = T0.replace(hour=0)
    mark_dirty(admin, btc, day - 90 * MINUTE, 24 * 60 + 180)
    rolled = roll_up(engine, day + 2 * Timeframe.D1.length)
    assert rolled.minutes == rolled.new[M1] == 24 * 60 + 180
    assert (rolled.new[H1], rolled.new[Timeframe.H4], rolled.new[Timeframe.D1]) == (28, 8, 3)
    assert rolled.revised == {}
    assert rolled.known_seq == known_seq(admin) > 10


@pytest.mark.usefixtures("small_slices")
def test_what_was_rolled_up_before_an_error_stays(engine: Engine, admin: Connection, btc: int) -> None:
    mark_dirty(admin, btc, T0, 300)
    slices = []

    def fail_in_the_third(_: Any, __: Any, statement: str, *___: Any) -> None:
        if "DELETE FROM dirty_minutes" in statement:
            slices.append(statement)
            assert len(slices) != 3, "the database ends it"

    event.listen(engine, "before_cursor_execute", fail_in_the_third)
    with pytest.raises(AssertionError, match="the database ends it"):
        roll_up(engine, T0 + 300 * MINUTE)
    assert len(stored_bars(admin, [btc])) > 100
    admin.rollback()
    rest = roll_up(engine, T0 + 300 * MINUTE)
    assert rest.minutes == 300 - 2 * 60
    assert sum(frame is M1 for _, frame, _ in stored_bars(admin, [btc])) == 300


@pytest.mark.usefixtures("small_slices")
@pytest.mark.parametrize(
    ("marks", "until", "end"),
    [
        ([(0, 100)], 600, 600),  # few enough
        ([(0, 101)], 600, 60),
        ([(-700, 10), (-601, 300)], 600, -600),  # T0 is ten o'clock: a day ends before an hour
        ([(0, 1)] * 101, 600, 1),
        ([(0, 1)] * 101, 0, 0),
        ([(70, 1)] + [(75, 1)] * 101, 600, 76),  # no boundary of an hour in it
    ],
)
def test_where_a_slice_ends(admin: Connection, btc: int, marks: list[tuple[int, int]], until: int, end: int) -> None:
    for first, count in marks:
        for minute in range(first, first + count):
            admin.execute(MARK_DIRTY, {"instrument_id": btc, "ts": T0 + minute * MINUTE})
    assert minutes.end_of_slice(admin, T0 + until * MINUTE) == T0 + end * MINUTE


def test_a_bar_inside_a_gap_splits_it(engine: Engine, admin: Connection, btc: int) -> None:
    for number, minute in enumerate([0, 9, 4, 1, 8]):
        insert_ticks(admin, Tick(btc, T0 + minute * MINUTE, number, price=100 + minute))
        roll_up(engine, T0 + 10 * MINUTE)
    gaps = sorted((start, end) for _, frame, start, end, _ in stored_gaps(admin, [btc]) if frame is M1)
    assert gaps == [(T0 + 2 * MINUTE, T0 + 4 * MINUTE), (T0 + 5 * MINUTE, T0 + 8 * MINUTE)]
    bars = stored_bars(admin, [btc])
    assert bars[btc, M1, T0 + MINUTE].gap_type is bars[btc, M1, T0 + 9 * MINUTE].gap_type is None
    assert bars[btc, M1, T0 + 4 * MINUTE].gap_magnitude_pct == (104 / 101 - 1) * 100


def add_missed(
    admin: Connection, instrument_id: int, *rows: tuple[float, float, int, bool], dirty: bool = True
) -> None:
    """Commit outages from one minute to another, or a number of dropped ticks of the first; repaired or not."""
    for first, end, dropped, repaired in rows:
        values = {
            "id": instrument_id,
            "first": T0 + first * MINUTE,
            "end": T0 + end * MINUTE if end < inf else "infinity",
            "dropped": dropped,
            "repaired_at": T0 if repaired else None,
        }
        admin.execute(
            text(
                "INSERT INTO dropped_ticks VALUES (:id, :first, :dropped, :repaired_at)"
                if dropped
                else "INSERT INTO outages VALUES (:id, :first, :end, :repaired_at)"
            ),
            values,
        )
    if dirty:
        admin.execute(MARK_DIRTY, {"instrument_id": instrument_id, "ts": T0})
    admin.commit()


@pytest.mark.parametrize(
    ("missed", "candle", "flags"),
    [
        ([], False, (False, 0, False)),
        ([], True, (False, 0, False)),
        ([(0, 1, 0, False)], False, (True, 0, False)),
        ([(-5, 5, 0, False)], False, (True, 0, False)),
        ([(-5, inf, 0, False)], False, (True, 0, False)),
        ([(-5, 0, 0, False), (1, 2, 0, False), (1, 1, 4, False)], False, (False, 0, False)),
        ([(0, 0, 4, False)], False, (False, 4, False)),
        ([(0, 1, 0, False), (0, 0, 4, False)], False, (True, 4, False)),
        ([(0, 1, 0, False)], True, (True, 0, True)),
        ([(0, 0, 4, False)], True, (False, 4, True)),
        ([(0, 1, 0, True)], False, (True, 0, True)),
        ([(-2, 1, 0, True), (0, 1, 0, False)], False, (True, 0, False)),
        ([(0, 1, 0, True), (0, 0, 4, False)], False, (True, 4, False)),
        ([(0, 1, 0, True), (0, 0, 4, True)], False, (True, 4, True)),
    ],
)
def test_a_bar_says_what_was_missed_and_whether_it_was_repaired(
    engine: Engine,
    admin: Connection,
    btc: int,
    missed: list[tuple[float, float, int, bool]],
    candle: bool,
    flags: tuple[bool, int, bool],
) -> None:
    (other,) = add_instruments(admin, 1)
    add_missed(admin, other, (-5, 5, 0, False))
    insert_ticks(admin, Tick(btc, T0, 1))
    roll_up(engine, T0 + MINUTE)
    add_missed(admin, btc, *missed)
    if candle:
        add_candles(admin, [Candle(btc, T0, 100, 100, 100, 100, 1, 1)])
        admin.commit()
    roll_up(engine, T0 + 5 * MINUTE)
    rows = admin.execute(text("SELECT outage, dropped, repaired FROM bars WHERE timeframe IN ('1m', '5m')"))
    assert [tuple(row) for row in rows] == [flags, flags]


def test_what_was_missed_reaches_the_higher_bars_and_the_gaps(engine: Engine, admin: Connection, btc: int) -> None:
    insert_ticks(admin, Tick(btc, T0, 1), Tick(btc, T0 + 3 * MINUTE, 3))
    add_missed(admin, btc, (0, 1, 0, False), (0, 0, 3, True))
    roll_up(engine, T0 + 5 * MINUTE)
    rows = admin.execute(text("SELECT timeframe, outage, dropped, repaired, gap_type FROM bars ORDER BY timeframe, ts"))
    assert [tuple(row) for row in rows] == [
        ("1m", True, 3, False, None),
        ("1m", False, 0, False, "outage"),
        ("5m", True, 3, False, None),
    ]


@pytest.mark.parametrize("price", [nan, inf, -inf, 0.0, -1.0, 1e-308, 1.7e308])
def test_no_tick_stops_the_rollup(engine: Engine, admin: Connection, btc: int, price: float) -> None:
    sizes = [nan, inf, 0.0, 1e-308, 1.7e308]
    bad = add_instruments(admin, len(sizes))
    for number in range(2):
        minute = T0 + number * 3 * MINUTE
        for instrument, size in zip(bad, sizes, strict=True):
            insert_ticks(
                admin,
                Tick(instrument, minute, number, price, size),
                Tick(instrument, minute, number + 2, price, size),
                Tick(instrument, T0 + 6 * MINUTE, number),
            )
        insert_ticks(admin, Tick(btc, T0, number))
    assert roll_up(engine, T0 + 24 * H1.length).new[M1] == 3 * len(bad) + 1
    assert stored_bars(admin, [btc])[btc, M1, T0].volume == 2


def test_a_transaction_that_commits_late_is_taken_next_time(engine: Engine, admin: Connection, btc: int) -> None:
    add_ticks(admin, [Tick(btc, T0, 1)])
    assert roll_up(engine, T0 + MINUTE).new == {}
    admin.commit()
    assert roll_up(engine, T0 + MINUTE).new == {M1: 1}


def test_a_transaction_that_commits_while_the_rollup_runs_is_not_lost(
    engine: Engine, admin: Connection, btc: int
) -> None:
    insert_ticks(admin, Tick(btc, T0, 1, price=100))
    add_ticks(admin, [Tick(btc, T0, 2, price=101)])

    def commit(_: Any, __: Any, statement: str, *___: Any) -> None:
        if "DELETE FROM dirty_minutes" in statement and admin.in_transaction():
            admin.commit()

    event.listen(engine, "after_cursor_execute", commit)
    assert roll_up(engine, T0 + MINUTE).minutes == 1
    assert roll_up(engine, T0 + MINUTE).minutes == 1
    assert stored_bars(admin, [btc])[btc, M1, T0].close == 101


def test_a_rollup_waits_for_the_one_before_it(database: Database, engine: Engine, admin: Connection, btc: int) -> None:
    ticks = [Tick(btc, T0 + minute * MINUTE, minute, price=100 + minute) for minute in range(2)]
    second = Thread(target=lambda: roll_up(engine, T0 + 5 * MINUTE))

    def start_second(_: Any, __: Any, statement: str, *___: Any) -> None:
        if "DELETE FROM dirty_minutes" in statement and second.ident is None:
            insert_ticks(admin, ticks[1])
            second.start()
            while second.is_alive() and not waiting_sessions(database):
                second.join(0.01)

    event.listen(engine, "after_cursor_execute", start_second)
    insert_ticks(admin, ticks[0])
    first = roll_up(engine, T0 + 5 * MINUTE)
    second.join(60)
    assert known_seq(admin) == first.known_seq + 1
    assert stored_bars(admin, [btc]) == expected_bars(ticks, [], T0 + 5 * MINUTE)


def test_concurrent_writers_and_rollups_lose_nothing(
    database: Database, engine: Engine, admin: Connection, btc: int
) -> None:
    until = T0 + 60 * MINUTE
    batches = [[Tick(btc, T0 + m * MINUTE, n, price=100 + m + n) for m in range(0, 60, n + 1)] for n in range(8)]
    remaining = list(batches)

    def write_and_roll_up() -> None:
        with database.session() as connection:
            add_ticks(connection, remaining.pop())
        roll_up(engine, until)

    assert at_once(write_and_roll_up, len(batches)) == []
    assert stored_bars(admin, [btc]) == expected_bars([tick for batch in batches for tick in batch], [], until)


def test_a_failed_rollup_changes_nothing(engine: Engine, admin: Connection, btc: int) -> None:
    insert_ticks(admin, Tick(btc, T0, 1), Tick(btc + 1, T0, 1))  # there is no such instrument
    with pytest.raises(Exception, match="foreign key"):
        roll_up(engine, T0 + MINUTE)
    assert admin.scalar(text("SELECT count(*) FROM dirty_minutes")) == 2
    assert not stored_bars(admin, [btc])
    assert known_seq(admin) == 0


def rows_read_by_a_cycle(engine: Engine, admin: Connection, start: datetime) -> int:
    """Rows read by the rollup of five minutes in which each instrument traded every second."""
    admin.execute(
        text("""
            INSERT INTO ticks SELECT :start + n * interval '1 second', i, n, 100, 1, 'b', 't', 's'
            FROM generate_series(0, 299) AS n, generate_series(1, 5) AS i;
            INSERT INTO dirty_minutes SELECT i, :start + n * interval '1 minute'
            FROM generate_series(0, 4) AS n, generate_series(1, 5) AS i
        """),
        {"start": start},
    )
    admin.commit()
    before = rows_read(engine, admin)
    assert roll_up(engine, start + 5 * MINUTE).new[M1] == 25
    return rows_read(engine, admin) - before


def rows_read(engine: Engine, admin: Connection) -> int:
    """Rows read by all sessions since the database was created."""
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_stat_force_next_flush()"))
    admin.execute(text("SELECT pg_stat_force_next_flush()"))
    admin.commit()
    return int(
        admin.execute(
            text("""
                SELECT sum(seq_tup_read + COALESCE(idx_tup_fetch, 0)) FROM pg_stat_user_tables
                WHERE relname IN ('bars', 'gaps', 'venue_candles') OR relname LIKE 'ticks%'
            """)
        ).scalar_one()
    )


@pytest.mark.slow
def test_work_does_not_grow_with_history(engine: Engine, admin: Connection) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    add_instruments(admin, 5)
    rows_read_by_a_cycle(engine, admin, start)
    short = rows_read_by_a_cycle(engine, admin, start + 5 * MINUTE)
    admin.execute(
        text("""
            INSERT INTO venue_candles
            SELECT i, '1m', :start + n * interval '2 minutes', 1, 1, 1, 1, 1, 1, :start
            FROM generate_series(5, 3500) AS n, generate_series(1, 5) AS i;
            INSERT INTO dirty_minutes SELECT instrument_id, ts FROM venue_candles
        """),
        {"start": start},
    )
    admin.commit()
    later = start + timedelta(days=5)
    assert roll_up(engine, later).gaps > 10_000
    assert rows_read_by_a_cycle(engine, admin, later) <= 1.2 * short
