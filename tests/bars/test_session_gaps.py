"""What lies between two bars of an instrument whose venue closes."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from strandline.bars import roll_up
from strandline.model.timeframe import Timeframe
from tests.bars.rows import MINUTE, Candle, add_candles, add_instruments

# New York's hours in January: Friday the 2nd, a weekend, Monday the 5th, Tuesday; Wednesday closes early, Thursday is
# left out, and Friday's session goes on into Saturday's, as where they trade around the clock.
SESSIONS = """
    INSERT INTO trading_sessions VALUES
      ('NY', '2026-01-02', '2026-01-02 14:30Z', '2026-01-02 21:00Z', 'holiday'),
      ('NY', '2026-01-05', '2026-01-05 14:30Z', '2026-01-05 21:00Z', 'weekend'),
      ('NY', '2026-01-06', '2026-01-06 14:30Z', '2026-01-06 21:00Z', 'overnight'),
      ('NY', '2026-01-07', '2026-01-07 14:30Z', '2026-01-07 18:00Z', 'overnight'),
      ('NY', '2026-01-09', '2026-01-09 14:30Z', '2026-01-10 00:00Z', 'holiday'),
      ('NY', '2026-01-10', '2026-01-10 00:00Z', '2026-01-10 12:00Z', NULL),
      ('ELSEWHERE', '2026-01-05', '2026-01-05 22:00Z', '2026-01-05 23:00Z', 'holiday'),
      ('ELSEWHERE', '2026-01-06', '2026-01-06 19:00Z', '2026-01-06 20:00Z', 'holiday')
"""
M1, H1, H4, D1 = Timeframe.M1, Timeframe.H1, Timeframe.H4, Timeframe.D1
ALL_OVER = datetime(2026, 1, 11, tzinfo=UTC)


def at(text_: str) -> datetime:
    """An instant of January 2026: day, hour and minute."""
    day, clock = text_.split()
    hour, minute = clock.split(":")
    return datetime(2026, 1, int(day), int(hour), int(minute), tzinfo=UTC)


@pytest.fixture
def share(admin: Connection) -> int:
    """An instrument that is traded in those sessions."""
    (instrument_id,) = add_instruments(admin, 1)
    admin.execute(text(SESSIONS))
    admin.execute(text("UPDATE instruments SET calendar = 'NY'"))
    admin.commit()
    return instrument_id


def trade(admin: Connection, instrument_id: int, minutes: Iterable[datetime]) -> None:
    add_candles(admin, [Candle(instrument_id, minute, 1.0, 1.0, 1.0, 1.0, 1.0, 1) for minute in minutes])
    admin.commit()


def gaps(admin: Connection, timeframe: Timeframe, instrument_id: int) -> list[tuple[datetime, str | None]]:
    """Every bar but the first, with the type of the gap before it, which is the same in both tables."""
    bars = admin.execute(
        text("""
        SELECT b.ts, b.gap_type, g.gap_type AS stored FROM bars b LEFT JOIN gaps g
          ON (g.instrument_id, g.timeframe, g.ends_at) = (b.instrument_id, b.timeframe, b.ts)
        WHERE b.instrument_id = :instrument_id AND b.timeframe = :timeframe ORDER BY b.ts OFFSET 1
        """),
        {"instrument_id": instrument_id, "timeframe": timeframe.value},
    ).all()
    assert all(row.gap_type == row.stored for row in bars)
    return [(row.ts, row.gap_type) for row in bars]


@pytest.mark.parametrize(
    ("last", "first", "gap"),
    [
        ("5 20:59", "6 14:30", "overnight"),
        ("5 16:00", "6 17:00", "overnight"),  # seldom traded: closed for a part of the time
        ("2 20:59", "5 14:30", "weekend"),
        ("7 17:59", "9 14:30", "holiday"),
        ("2 20:59", "6 14:30", "weekend"),  # nobody traded on Monday: a weekend and a night
        ("2 20:59", "9 14:30", "holiday"),  # a weekend, nights and a holiday
        ("5 15:00", "5 15:02", "quiet"),
        ("6 16:29", "6 17:30", "quiet"),  # as long as a break at noon
        ("6 18:00", "6 20:59", "quiet"),  # a venue elsewhere has opened
        ("5 21:05", "5 21:30", "quiet"),  # two trades after the close
        ("5 21:05", "6 14:30", "overnight"),
        ("5 20:59", "6 14:29", "quiet"),  # a trade before the opening begins no session
        ("9 23:50", "10 00:10", "quiet"),  # one session follows the other at once
        ("5 20:59", "5 21:00", None),
    ],
)
def test_the_gap_before_a_minute(
    engine: Engine, admin: Connection, share: int, last: str, first: str, gap: str | None
) -> None:
    trade(admin, share, [at(last), at(first)])
    roll_up(engine, ALL_OVER)
    assert gaps(admin, M1, share) == [(at(first), gap)]


def test_an_instrument_without_a_calendar_is_never_closed(engine: Engine, admin: Connection, share: int) -> None:
    (crypto,) = add_instruments(admin, 1)
    for instrument_id in (share, crypto):
        trade(admin, instrument_id, [at("5 20:59"), at("6 14:30")])
    roll_up(engine, ALL_OVER)
    assert (gaps(admin, M1, crypto), gaps(admin, M1, share)) == (
        [(at("6 14:30"), "quiet")],
        [(at("6 14:30"), "overnight")],
    )


@pytest.mark.parametrize(
    ("starts", "ends", "gap"),
    [
        ("5 20:30", "5 20:50", "outage"),  # and Monday's last bar is of 20:29
        ("5 20:30", "5 23:00", "outage"),
        ("6 14:25", "6 14:31", "outage"),
        ("5 20:00", "6 20:00", "outage"),
        ("5 20:00", "5 20:30", "overnight"),  # over with the last bar
        ("5 21:00", "6 14:30", "overnight"),  # nothing was to be missed
        ("6 15:00", "infinity", "overnight"),  # later than the first bar
        ("6 14:40", "6 15:00", "overnight"),
    ],
)
def test_time_that_nobody_streamed_while_the_venue_was_open(
    engine: Engine, admin: Connection, share: int, starts: str, ends: str, gap: str
) -> None:
    admin.execute(
        text(
            """
            INSERT INTO outages VALUES
              (:share, :starts, CAST(:ends AS timestamptz)), (:share + 1, '-infinity', 'infinity')
            """
        ),
        {"share": share, "starts": at(starts), "ends": ends if ends == "infinity" else at(ends).isoformat()},
    )
    trade(admin, share, [at("5 20:29"), at("6 14:35")])
    roll_up(engine, ALL_OVER)
    assert gaps(admin, M1, share) == [(at("6 14:35"), gap)]


def test_an_outage_within_a_session_is_one_as_everywhere(engine: Engine, admin: Connection, share: int) -> None:
    outage = {"share": share, "starts": at("5 15:00"), "ends": at("5 15:30")}
    admin.execute(text("INSERT INTO outages VALUES (:share, :starts, :ends)"), outage)
    trade(admin, share, [at("5 15:00"), at("5 15:30")])
    roll_up(engine, ALL_OVER)
    assert gaps(admin, M1, share) == [(at("5 15:30"), "outage")]


def test_longer_bars(engine: Engine, admin: Connection, share: int) -> None:
    """They are aligned to UTC, and may begin before the opening or end after the close."""
    hours = [at(f"{day} {hour}:{minute}") for day in (2, 5, 6) for hour in range(14, 21) for minute in (35, 55)]
    trade(admin, share, [*hours, *(at(f"{day} {hour}:35") for day in (7, 9) for hour in (14, 16, 17))])
    roll_up(engine, ALL_OVER)
    assert [row for row in gaps(admin, H1, share) if row[1]] == [
        (at("5 14:00"), "weekend"),
        (at("6 14:00"), "overnight"),
        (at("7 14:00"), "overnight"),
        (at("7 16:00"), "quiet"),
        (at("9 14:00"), "holiday"),
        (at("9 16:00"), "quiet"),
    ]
    assert [row for row in gaps(admin, H4, share) if row[1]] == [
        (at("5 12:00"), "weekend"),
        (at("6 12:00"), "overnight"),
        (at("7 12:00"), "overnight"),
        (at("9 12:00"), "holiday"),
    ]
    # A day follows the day before it without a gap: the night is inside of them.
    assert gaps(admin, D1, share) == [
        (at("5 00:00"), "weekend"),
        (at("6 00:00"), None),
        (at("7 00:00"), None),
        (at("9 00:00"), "holiday"),
    ]


def test_a_bar_over_close_and_opening_has_no_gap_before_it(engine: Engine, admin: Connection, share: int) -> None:
    admin.execute(
        text("""
        INSERT INTO trading_sessions VALUES ('NY', '2026-01-03', '2026-01-02 22:30Z', '2026-01-03 21:00Z', 'overnight')
        """)
    )
    trade(admin, share, [at("2 20:59"), at("2 22:30")])
    roll_up(engine, ALL_OVER)
    assert gaps(admin, M1, share) == [(at("2 22:30"), "overnight")]
    assert gaps(admin, H1, share) == [(at("2 22:00"), "overnight")]
    assert gaps(admin, H4, share) == []


def test_a_late_trade_changes_the_gap_that_it_falls_into(engine: Engine, admin: Connection, share: int) -> None:
    trade(admin, share, [at("5 15:00"), at("6 15:00")])
    roll_up(engine, ALL_OVER)
    trade(admin, share, [at("6 14:30")])
    roll_up(engine, ALL_OVER)
    assert gaps(admin, M1, share) == [(at("6 14:30"), "overnight"), (at("6 15:00"), "quiet")]
    revisions: Any = admin.execute(text("SELECT revision FROM bars WHERE timeframe = '1m' ORDER BY ts")).scalars().all()
    assert revisions == [0, 0, 1]
    before = admin.execute(text("SELECT * FROM bars ORDER BY 1, 2, 3")).all()
    admin.execute(text("INSERT INTO dirty_minutes SELECT instrument_id, ts FROM bars WHERE timeframe = '1m'"))
    admin.commit()
    roll_up(engine, ALL_OVER + timedelta(days=1))
    assert admin.execute(text("SELECT * FROM bars ORDER BY 1, 2, 3")).all()[: len(before)] == before


def test_every_minute_of_a_session_is_within_it(engine: Engine, admin: Connection, share: int) -> None:
    trade(admin, share, [at("5 14:30") + n * MINUTE for n in range(0, 390, 13)] + [at("6 14:30")])
    roll_up(engine, ALL_OVER)
    found = [gap for _, gap in gaps(admin, M1, share)]
    assert found == ["quiet"] * 29 + ["overnight"]
