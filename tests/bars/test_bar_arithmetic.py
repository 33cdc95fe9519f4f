"""The values of a bar: order of ticks and sums, the repaired flag, and which changes make a revision."""

from datetime import UTC, datetime
from itertools import count

import pytest
from sqlalchemy import Connection, Engine, text

from strandline.bars import roll_up, staging
from strandline.bars.revisions import write_staged
from strandline.model.timeframe import Timeframe
from tests.bars.rows import MINUTE, Tick, add_instruments, add_ticks, stored_bars
from tests.conftest import Database

T0 = datetime(2026, 1, 5, 10, tzinfo=UTC)
M1, M5 = Timeframe.M1, Timeframe.M5


@pytest.fixture
def btc(admin: Connection) -> int:
    """The id of an instrument."""
    (instrument_id,) = add_instruments(admin, 1)
    admin.commit()
    return instrument_id


@pytest.fixture(autouse=True)
def _read_in_stored_order(database: Database, admin: Connection) -> None:
    """Rows are read as they were stored; an index or a presorted aggregate would hide a missing ORDER BY."""
    for option in ("enable_indexscan", "enable_indexonlyscan", "enable_bitmapscan", "enable_presorted_aggregate"):
        admin.execute(text(f'ALTER DATABASE "{database.url.database}" SET {option} = off'))
    admin.commit()


def test_trades_of_the_same_instant_are_ordered_by_id(engine: Engine, admin: Connection, btc: int) -> None:
    """In whatever order they were stored."""
    for number in (5, 3, 9, 1, 7):
        add_ticks(admin, [Tick(btc, T0, number, price=100.0 + number)])
    admin.commit()
    roll_up(engine, T0 + MINUTE)
    bar = stored_bars(admin, [btc])[btc, M1, T0]
    assert (bar.open, bar.close) == (101.0, 109.0)


@pytest.mark.parametrize("descending", [False, True])
def test_sums_of_a_minute_do_not_depend_on_the_order_of_arrival(
    engine: Engine, admin: Connection, btc: int, descending: bool
) -> None:
    """1e16 + 1 + 1 is 1e16 in floats, and 1 + 1 + 1e16 is not."""
    sizes = [(1, 1e16), (2, 1.0), (3, 1.0)]
    for number, size in sorted(sizes, reverse=descending):
        add_ticks(admin, [Tick(btc, T0, number, price=1.0, size=size)])
    admin.commit()
    roll_up(engine, T0 + MINUTE)
    bar = stored_bars(admin, [btc])[btc, M1, T0]
    assert (bar.volume, bar.quote_volume) == (1e16, 1e16)


def test_sums_over_minutes_do_not_depend_on_the_order_of_arrival(engine: Engine, admin: Connection, btc: int) -> None:
    for minute, size in reversed(list(enumerate([1e16, 1.0, 1.0]))):
        add_ticks(admin, [Tick(btc, T0 + minute * MINUTE, 1, price=1.0, size=size)])
        admin.commit()
        roll_up(engine, T0 + 4 * MINUTE)
    roll_up(engine, T0 + 5 * MINUTE)
    bar = stored_bars(admin, [btc])[btc, M5, T0]
    assert (bar.volume, bar.quote_volume, bar.vwap) == (1e16, 1e16, 1.0)


@pytest.mark.parametrize(
    ("flags", "repaired"),
    [
        ([(True, 0, True), (True, 0, False)], False),
        ([(True, 0, True), (False, 2, False)], False),
        ([(True, 0, True), (False, 2, True)], True),
        ([(True, 0, True), (False, 0, False)], True),
        ([(True, 0, False), (False, 0, False)], False),
        ([(False, 0, False), (False, 0, False)], False),
    ],
)
def test_a_bar_is_repaired_when_all_of_its_damaged_minutes_are(
    engine: Engine, admin: Connection, btc: int, flags: list[tuple[bool, int, bool]], repaired: bool
) -> None:
    for minute, (outage, dropped, is_repaired) in enumerate(flags):
        add_ticks(admin, [Tick(btc, T0 + minute * MINUTE, 1)])
        admin.commit()
        roll_up(engine, T0 + (minute + 1) * MINUTE)
        admin.execute(
            text("""
                UPDATE bars SET outage = :outage, dropped = :dropped, repaired = :repaired, revision = revision + 1,
                  known_seq = known_seq + 1
                WHERE timeframe = '1m' AND ts = :ts
            """),
            {"outage": outage, "dropped": dropped, "repaired": is_repaired, "ts": T0 + minute * MINUTE},
        )
        admin.commit()
    roll_up(engine, T0 + 5 * MINUTE)
    assert admin.scalar(text("SELECT repaired FROM bars WHERE timeframe = '5m'")) is repaired


CHANGES = {
    "open": "open + 0.5",
    "high": "high + 0.5",
    "low": "low - 0.5",
    "close": "close + 0.5",
    "volume": "volume + 0.5",
    "quote_volume": "quote_volume + 0.5",
    "vwap": "vwap + 0.5",
    "ticks": "ticks + 1",
    "source": "'a'",
    "outage": "NOT outage",
    "dropped": "dropped + 1",
    "repaired": "NOT repaired",
}


@pytest.mark.parametrize("column", CHANGES)
def test_a_change_of_any_value_makes_a_revision(engine: Engine, admin: Connection, btc: int, column: str) -> None:
    """And without a change there is none. The bar has neighbours on both sides, so that its gaps stay the same."""
    add_ticks(admin, [Tick(btc, T0 + minute * MINUTE, 1) for minute in range(3)])
    admin.commit()
    known = count(roll_up(engine, T0 + 4 * MINUTE).known_seq + 1)
    for change in (column, CHANGES[column]):
        with engine.begin() as connection:
            staging.create_tables(connection)
            values = ", ".join(change if name == column else name for name in CHANGES)
            connection.execute(
                text(f"""
                    INSERT INTO staged_bars (instrument_id, timeframe, ts, {", ".join(CHANGES)})
                    SELECT instrument_id, timeframe, ts, {values} FROM bars WHERE timeframe = '1m' AND ts = :ts
                """),
                {"ts": T0 + MINUTE},
            )
            write_staged(connection, next(known))
        revision = admin.scalar(
            text("SELECT revision FROM bars WHERE timeframe = '1m' AND ts = :ts"), {"ts": T0 + MINUTE}
        )
        admin.rollback()
        assert revision == (0 if change == column else 1)
