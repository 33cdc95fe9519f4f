"""The gate fails closed, checks the window of the cycle alone, and the newest run counts."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection, Engine, text

from strandline.bars import roll_up
from strandline.model.timeframe import Timeframe
from strandline.quality import Severity, blocks, check_history
from strandline.quality.suite import Check, Suite
from strandline.store.connect import connect
from strandline.store.roles import Role
from tests.conftest import Database
from tests.quality.samples import (
    ALL,
    ENTRIES,
    FAULTY,
    MINUTE,
    STRATEGY,
    Finding,
    T,
    add_tick,
    finding_details,
    findings,
    revise_bar,
    run_checks,
    withheld,
)

pytestmark = pytest.mark.slow
M1, M5, H1 = Timeframe.M1, Timeframe.M5, Timeframe.H1


def trade_until(admin: Connection, engine: Engine, until: datetime) -> None:
    """Insert a trade of every instrument in each minute from T, and roll up."""
    admin.execute(
        text("""
            INSERT INTO ticks SELECT ts, i, 5000000, 102, 1, 'b', 't', 's'
            FROM generate_series(CAST(:t AS timestamptz) + interval '20 s', :until, interval '1 minute') AS ts,
                 generate_series(1, 3) AS i;
            INSERT INTO dirty_minutes SELECT instrument_id, date_trunc('minute', ts) FROM ticks WHERE ts >= :t
        """),
        {"t": T, "until": until},
    )
    admin.commit()
    roll_up(engine, until)


def step_engine(admin: Connection, timeframe: Timeframe, bar: datetime) -> None:
    """Insert an engine state of the faulty instrument whose newest bar is this."""
    admin.execute(
        text("""
            INSERT INTO engine_states
              (instrument_id, timeframe, generation, adopted, engine_version, bar_count, bar_ts, bar_revision,
               state_bytes)
            VALUES (2, :timeframe, 1, true, '4', 1, :bar, 0, '')
        """),
        {"timeframe": timeframe.value, "bar": bar},
    )
    admin.commit()


def test_a_cycle_that_was_not_checked_is_blocked(admin: Connection, engine: Engine) -> None:
    run_checks(engine)
    blocked = blocks(admin, T + 5 * MINUTE)
    assert blocked.all_entries == ("not_checked:ticks", "not_checked:bars", "not_checked:rows", "not_checked:signals")


@pytest.mark.parametrize(
    ("table", "suites"),
    [
        ("ticks", {"ticks", "rows"}),
        ("venue_candles", {"bars"}),
        ("outages", {"rows"}),
        ("features", {"bars", "signals"}),
    ],
)
def test_a_suite_that_cannot_run_blocks_all_entries(
    admin: Connection, engine: Engine, table: str, suites: set[str]
) -> None:
    admin.execute(text(f"REVOKE SELECT ON {table} FROM {Role.APP}"))
    admin.commit()
    result = run_checks(engine)
    assert set(result.errors) == suites
    assert all(f"permission denied for table {table}" in error for error in result.errors.values())
    assert set(blocks(admin, T).all_entries) == {f"check_failed:{suite}" for suite in suites}
    stored = admin.execute(text("SELECT suite, succeeded, error FROM quality_runs"))
    assert {run.suite: run.error for run in stored if not run.succeeded} == dict(result.errors)


def test_the_newest_run_counts(admin: Connection, engine: Engine) -> None:
    admin.execute(text(f"REVOKE SELECT ON venue_candles FROM {Role.APP}"))
    revise_bar(admin, volume=-1.0)
    run_checks(engine)
    admin.execute(text(f"GRANT SELECT ON venue_candles TO {Role.APP}"))
    admin.commit()
    run_checks(engine)
    assert blocks(admin, T).all_entries == ()
    assert withheld(admin) == {(FAULTY, M1, T - MINUTE)}
    revise_bar(admin, volume=1.0)
    run_checks(engine)
    assert withheld(admin) == set()
    assert admin.scalar(text("SELECT count(*) FROM quality_runs WHERE cycle_t = :t"), {"t": T}) == 12


def test_what_blocks_a_series(admin: Connection, engine: Engine) -> None:
    add_tick(admin, engine, size=0.0)
    revise_bar(admin, start=T - 10 * MINUTE, outage=True)
    run_checks(engine)
    blocked = blocks(admin, T)
    minute, five = T - 2 * MINUTE, T - 5 * MINUTE
    assert blocked.by_series[FAULTY, None] == ((ALL, "incomplete_trade"),)
    assert (ENTRIES, "recent_outage") in blocked.of(FAULTY, M1)
    assert (ALL, "incomplete_trade") in blocked.of(FAULTY, H1)
    assert blocked.of(FAULTY - 1, M1) == ()
    assert {(FAULTY, M1, minute), (FAULTY, M5, five), (FAULTY, H1, T - H1.length)} <= withheld(admin)
    assert all(ts <= minute < ts + frame.length for _, frame, ts in withheld(admin))


def test_a_minute_that_was_rebuilt_from_the_venues_candle_is_not_withheld(admin: Connection, engine: Engine) -> None:
    add_tick(admin, engine, candle=True, size=0.0)
    run_checks(engine)
    blocked = blocks(admin, T)
    assert blocked.by_series[FAULTY, None] == ((ALL, "incomplete_trade"),)
    assert withheld(admin) == set()


def test_a_warning_blocks_nothing(admin: Connection, engine: Engine) -> None:
    add_tick(admin, engine, ts=T + timedelta(seconds=14))
    assert run_checks(engine).findings == {Severity.WARN: 1}
    assert blocks(admin, T).by_series == {}


def test_a_finding_about_no_instrument_blocks_all_entries(admin: Connection, engine: Engine) -> None:
    run_checks(engine)
    admin.execute(
        text("""
            INSERT INTO quality_findings (quality_run_id, finding_no, check_name, severity)
            SELECT max(quality_run_id), 1, 'clock_is_wrong', 'block_entries' FROM quality_runs
        """)
    )
    assert blocks(admin, T).all_entries == ("clock_is_wrong",)


def test_a_bad_tick_also_withholds_the_bars_that_end_later(admin: Connection, engine: Engine) -> None:
    add_tick(admin, engine, size=0.0)
    run_checks(engine)
    midnight = T + 12 * H1.length
    trade_until(admin, engine, midnight)
    run_checks(engine, midnight - 5 * MINUTE)
    run_checks(engine, midnight)
    assert withheld(admin, midnight) == {(FAULTY, Timeframe.D1, midnight - Timeframe.D1.length)}


def test_a_bar_that_the_engine_has_not_stepped_is_found_again(admin: Connection, engine: Engine) -> None:
    revise_bar(admin, start=T - 60 * MINUTE, volume=-1.0)
    run_checks(engine)
    trade_until(admin, engine, T + 5 * MINUTE)
    run_checks(engine, T + 5 * MINUTE)
    assert findings(admin) == set()
    step_engine(admin, M1, T - 61 * MINUTE)
    run_checks(engine, T + 5 * MINUTE)
    assert Finding(FAULTY, "1m", "bad_bar_volume", ALL) in findings(admin)


def test_missed_cycles_are_checked(admin: Connection, engine: Engine) -> None:
    run_checks(engine)
    revise_bar(admin, start=T - 60 * MINUTE, volume=-1.0)  # checked already
    trade_until(admin, engine, T + 60 * MINUTE)
    add_tick(admin, engine, ts=T + 10 * MINUTE, price=-1.0)
    run_checks(engine, T + 60 * MINUTE)
    assert {ts for *_, ts, _ in finding_details(admin, "bad_tick_price")} == {T + 10 * MINUTE}
    assert finding_details(admin, "bad_bar_volume") == []


def test_the_database_and_the_type_have_the_same_severities(admin: Connection) -> None:
    labels = admin.scalars(text("SELECT unnest(enum_range(NULL::severity))::text")).all()
    assert labels == [severity.value for severity in Severity]


def test_a_day_of_history_blocks_no_cycle_and_withholds_its_bars(admin: Connection, engine: Engine) -> None:
    """Of the bars of the day, those that ended in time are checked, all instruments'."""
    day, start = T.replace(hour=0), T - 10 * MINUTE
    revise_bar(admin, start=start, volume=-1.0)
    assert check_history(engine, STRATEGY, day, T, T).findings[Severity.BLOCK_ALL] == 1
    assert {ts for *_, ts, _ in finding_details(admin, "bad_bar_volume")} == {start}
    assert "not_checked:bars" in blocks(admin, T).all_entries
    assert not blocks(admin, T).by_series
    assert withheld(admin) == {(FAULTY, M1, start)}
    assert Severity.BLOCK_ALL not in check_history(engine, STRATEGY, day, start, T).findings
    assert check_history(engine, STRATEGY, day - timedelta(days=1), T, T).findings == {}
    ends = admin.scalars(text("SELECT cycle_t FROM quality_runs WHERE suite = 'history' ORDER BY 1")).all()
    assert ends == [day, start, T]


def test_any_number_of_findings_is_returned(engine: Engine) -> None:
    from strandline.quality.expectations import run_suite

    thousand = Check(
        "thousand",
        Severity.WARN,
        "SELECT n AS instrument_id, NULL AS timeframe, NULL AS ts, current_user AS name FROM {batch} WHERE n > 0",
    )
    none = Check("none", Severity.WARN, "SELECT NULL AS instrument_id FROM {batch} WHERE n < 0")
    result = run_suite(engine, Suite("numbers", "SELECT generate_series(0, 1000) AS n", (), (thousand, none)))
    assert [finding["instrument_id"] for finding in result.findings] == list(range(1, 1001))
    assert {finding["details"]["name"] for finding in result.findings} == {Role.APP.value}


def test_no_connection_stays_open(admin: Connection, engine: Engine) -> None:
    run_checks(engine)
    engine.dispose()
    wait_for_other_sessions_to_end(admin)


def test_a_url_without_a_host_is_accepted(faultless_database: Database, admin: Connection) -> None:
    engine = connect(faultless_database.url.set(host=None, password="${dollars}"), Role.APP)
    assert not run_checks(engine).errors
    engine.dispose()
    assert blocks(admin, T).all_entries == ()


def test_nothing_is_printed(engine: Engine, capfd: pytest.CaptureFixture[str]) -> None:
    run_checks(engine)
    assert capfd.readouterr() == ("", "")


def test_the_rows_read_do_not_grow_with_history(admin: Connection, engine: Engine) -> None:
    run_checks(engine)
    cycle = T + 5 * MINUTE
    trade_until(admin, engine, cycle)
    rows_read_by_a_check(admin, engine, cycle)
    short = rows_read_by_a_check(admin, engine, cycle)
    admin.execute(
        text("""
            SELECT ensure_tick_partitions('2025-07-01', '2026-01-03');
            INSERT INTO ticks SELECT ts, 1, 1, 100, 1, 'b', 't', 's'
              FROM generate_series(CAST('2025-07-01Z' AS timestamptz), '2026-01-04Z', interval '4 minutes') AS ts;
            INSERT INTO bars (instrument_id, timeframe, ts, known_seq, open, high, low, close, volume, ticks, source)
              SELECT 1, '1m', ts, 1, 100, 100, 100, 100, 1, 1, 's' FROM ticks WHERE ts < '2026-01-04Z';
            INSERT INTO venue_candles SELECT 1, '1m', ts, 100, 100, 100, 100, 1, 1, ts FROM ticks
              WHERE ts < '2026-01-04Z';
            ANALYZE bars, ticks, venue_candles
        """)
    )
    admin.commit()
    assert rows_read_by_a_check(admin, engine, cycle) <= 1.2 * short


def rows_read_by_a_check(admin: Connection, engine: Engine, cycle: datetime) -> int:
    """Rows that one check reads of the tables that grow."""
    before = rows_read(admin, engine)
    run_checks(engine, cycle)
    return rows_read(admin, engine) - before


def rows_read(admin: Connection, engine: Engine) -> int:
    """Rows read by all sessions; a session reports what it read at its end."""
    admin.execute(text("SELECT pg_stat_force_next_flush()"))
    engine.dispose()
    wait_for_other_sessions_to_end(admin)
    return int(
        admin.execute(
            text("""
                SELECT sum(seq_tup_read + COALESCE(idx_tup_fetch, 0)) FROM pg_stat_user_tables
                WHERE relname IN ('bars', 'venue_candles', 'features') OR relname LIKE 'ticks%'
            """)
        ).scalar_one()
    )


def wait_for_other_sessions_to_end(admin: Connection) -> None:
    """Wait until the other sessions of this database have ended."""
    sessions = text("SELECT count(*), pg_sleep(0.02) FROM pg_stat_activity WHERE datname = current_database()")
    for _ in range(500):
        admin.commit()
        if admin.scalar(sessions) == 1:
            admin.commit()
            return
    pytest.fail("a session remains open")
