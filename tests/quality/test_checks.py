"""Each check finds its own fault with the faulty values, and only on the faulty instrument."""

from collections.abc import Callable
from datetime import datetime, timedelta
from math import inf, nan
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from strandline.bars import roll_up
from strandline.quality import blocks
from tests.quality.samples import (
    ALL,
    ENTRIES,
    FAULTY,
    MINUTE,
    STRATEGY,
    WARN,
    Finding,
    T,
    add_tick,
    finding_details,
    findings,
    revise_bar,
    run_checks,
)

pytestmark = pytest.mark.slow
LAST = T - MINUTE
Plant = Callable[[Connection, Engine], object]
OF_FAULTY = "instrument_id = :faulty AND timeframe = '1m'"
ALLOW = "ALTER TABLE ticks DISABLE TRIGGER append_only; "


def tick(**values: Any) -> Plant:
    """Plant a tick with these values."""
    return lambda admin, engine: add_tick(admin, engine, **values)


def bar(**values: Any) -> Plant:
    """Plant a bar with these values."""
    return lambda admin, _: revise_bar(admin, **values)


def statement(sql: str) -> Plant:
    """Run a statement; :faulty is the id of the faulty instrument."""

    def plant(admin: Connection, _: Engine) -> None:
        admin.execute(text(sql), {"faulty": FAULTY, "t": T})
        admin.commit()

    return plant


def plan_cycle_before(admin: Connection) -> None:
    """Insert the cycle before: what is known now was known to it."""
    admin.execute(
        text("""
            INSERT INTO cycles (cycle_t, outcome, decided_at, known_seq, decisions, decision_digest, code_version,
                                strategy_hash)
            SELECT :t, 'planned', :t, seq, 0, repeat('a', 64), '1', repeat('a', 64) FROM commit_counter
        """),
        {"t": T - 5 * MINUTE},
    )


def late(**values: Any) -> Plant:
    """Plant a tick that comes after the cycle before was planned."""

    def plant(admin: Connection, engine: Engine) -> None:
        plan_cycle_before(admin)
        add_tick(admin, engine, **values)

    return plant


def rewritten(start: datetime) -> Plant:
    """Plant a minute that is known to be repaired after the cycle before was planned; it has the same ticks."""

    def plant(admin: Connection, engine: Engine) -> None:
        plan_cycle_before(admin)
        admin.execute(
            text("INSERT INTO outages VALUES (2, :start, CAST(:start AS timestamptz) + interval '1 minute', :start)"),
            {"start": start},
        )
        admin.execute(text("INSERT INTO dirty_minutes VALUES (2, :start)"), {"start": start})
        admin.commit()
        assert roll_up(engine, T).revised

    return plant


def other_candle(*, begun: timedelta | None, known_before: bool = False, missed: str = "") -> Plant:
    """Plant a candle of another volume for a minute eight minutes ago; the stream has begun so long before.

    `missed` is a statement that says what was missed in the minute.
    """

    def plant(admin: Connection, engine: Engine) -> None:
        minute = {"minute": T - 8 * MINUTE}
        if not known_before:
            plan_cycle_before(admin)
        if begun is not None:
            starts_at = T - 8 * MINUTE - begun
            admin.execute(
                text("INSERT INTO outages VALUES (2, :starts_at, :ends_at, :ends_at)"),
                {"starts_at": starts_at, "ends_at": starts_at + MINUTE},
            )
        if missed:
            admin.execute(text(missed), minute)
        admin.execute(text("UPDATE venue_candles SET volume = 2 WHERE instrument_id = 2 AND ts = :minute"), minute)
        admin.execute(text("INSERT INTO dirty_minutes VALUES (2, :minute)"), minute)
        admin.commit()
        assert roll_up(engine, T).revised
        if known_before:
            plan_cycle_before(admin)
            admin.commit()

    return plant


def outage(*, repaired: bool) -> Plant:
    """Plant an outage of a minute that has no bar."""

    def plant(admin: Connection, _: Engine) -> None:
        minute = {"faulty": FAULTY, "minute": T - 10 * MINUTE}
        admin.execute(text("ALTER TABLE bars DISABLE TRIGGER keep_rows"))
        admin.execute(
            text("DELETE FROM bars WHERE instrument_id = :faulty AND timeframe = '1m' AND ts = :minute"), minute
        )
        admin.execute(
            text("""
                INSERT INTO outages (instrument_id, starts_at, ends_at, repaired_at)
                VALUES (:faulty, :minute, CAST(:minute AS timestamptz) + interval '1 minute', :repaired_at)
            """),
            {**minute, "repaired_at": T if repaired else None},
        )
        admin.commit()

    return plant


def move(*, atr: float | None = None, high: float = 101.0, low: float = 101.0) -> Plant:
    """Move the last bar away from the previous close of 102, without a candle of the venue; with an ATR if given."""

    def plant(admin: Connection, _: Engine) -> None:
        admin.execute(
            text("""
                INSERT INTO features (instrument_id, timeframe, ts, generation, bar_revision, engine_version,
                                      input_hash, uptrend_engine_v4)
                SELECT 2, '1m', :ts, 1, 0, '4', repeat('a', 64),
                       jsonb_build_object('indicators', jsonb_build_object('atr', CAST(:atr AS double precision)))
                WHERE :atr IS NOT NULL
            """),
            {"ts": LAST - MINUTE, "atr": atr},
        )
        admin.execute(text("DELETE FROM venue_candles WHERE instrument_id = 2"))
        revise_bar(admin, high=high, low=low)

    return plant


def test_faultless_data_has_no_findings(engine: Engine, admin: Connection) -> None:
    result = run_checks(engine)
    assert (dict(result.findings), dict(result.errors)) == ({}, {})
    blocked = blocks(admin, T)
    assert (blocked.all_entries, blocked.by_series) == ((), {})


@pytest.mark.parametrize(
    ("plant", "expected"),
    [
        *((tick(price=price), (None, "bad_tick_price", ALL)) for price in (0.0, -1.0, nan, inf)),
        *((tick(size=size), (None, "incomplete_trade", ALL)) for size in (None, 0.0, nan, inf)),
        (tick(side=None), (None, "incomplete_trade", ALL)),
        (tick(trade_id=-1), (None, "trade_without_id", ALL)),
        (tick(ts=T + timedelta(seconds=14)), (None, "tick_from_the_future", WARN)),
        (late(ts=T - 8 * MINUTE), (None, "late_ticks", WARN)),
        (other_candle(begun=MINUTE), (None, "replaced_by_candle", WARN)),
        *((bar(low=low), ("1m", "bad_bar_price", ALL)) for low in (0.0, -1.0, nan)),
        (bar(high=inf), ("1m", "bad_bar_price", ALL)),
        (bar(low=100.5, high=99.0), ("1m", "bar_out_of_order", ALL)),
        (bar(open=200.0), ("1m", "bar_out_of_order", ALL)),
        *((bar(volume=volume), ("1m", "bad_bar_volume", ALL)) for volume in (-1.0, nan, inf)),
        (
            statement(
                f"INSERT INTO bar_revisions SELECT * FROM bars WHERE {OF_FAULTY} AND ts = :t - interval '1 minute'"
            ),
            ("1m", "duplicate_bar", ALL),
        ),
        (
            statement(
                "INSERT INTO bars SELECT instrument_id, timeframe, ts + interval '30 s', revision, known_seq, open,"
                f" high, low, close, volume, quote_volume, vwap, ticks, source FROM bars WHERE {OF_FAULTY}"
                " AND ts = :t - interval '2 minutes'"
            ),
            ("1m", "duplicate_bar", ALL),
        ),
        (tick(size=0.0), ("1m", "bad_ticks_inside", ALL)),
        (tick(size=0.0), ("5m", "bad_ticks_inside", ALL)),
        (move(high=153.1), ("1m", "unconfirmed_jump", ENTRIES)),
        (move(low=50.9), ("1m", "unconfirmed_jump", ENTRIES)),
        (move(atr=0.24, high=105.0), ("1m", "unconfirmed_jump", ENTRIES)),
        (bar(close=101.02, high=101.02), ("1m", "unlike_venue_candle", ENTRIES)),
        (bar(volume=1.002), ("1m", "unlike_venue_candle", ENTRIES)),
        (
            statement(f"{ALLOW}DELETE FROM ticks WHERE instrument_id = :faulty AND ts > :t - interval '2 minutes'"),
            ("1m", "stale_ticks", ENTRIES),
        ),
        (
            statement(
                "INSERT INTO positions SELECT gen_random_uuid(), token_chain, book_id, token_contract, '5m', 'paused',"
                " 1 FROM positions WHERE token_contract = 'C' || :faulty"
            ),
            ("5m", "short_history", ENTRIES),
        ),
        (bar(start=T - 30 * MINUTE, outage=True), ("1m", "recent_outage", ENTRIES)),
        (bar(start=T - 30 * MINUTE, dropped=1), ("1m", "recent_outage", ENTRIES)),
        (outage(repaired=False), ("1m", "recent_outage", ENTRIES)),
    ],
)
def test_a_planted_fault_is_found(
    engine: Engine, admin: Connection, plant: Plant, expected: tuple[str | None, str, str]
) -> None:
    timeframe, check_name, severity = expected
    plant(admin, engine)
    result = run_checks(engine)
    assert not result.errors
    assert Finding(FAULTY, timeframe, check_name, severity) in findings(admin)
    assert {finding.instrument_id for finding in findings(admin)} == {FAULTY}
    ((instrument_id, *_, values), *_) = finding_details(admin, check_name)
    assert instrument_id == FAULTY
    assert values


@pytest.mark.parametrize(
    "plant",
    [
        tick(ts=T + timedelta(seconds=13)),
        tick(trade_id=-1, source="a"),  # of an archive without ids
        late(ts=T - 7 * MINUTE),
        late(ts=T - 8 * MINUTE, source="a", trade_id=-1),
        rewritten(T - 8 * MINUTE),
        other_candle(begun=None),  # nothing was streamed
        other_candle(begun=-MINUTE),  # not yet
        other_candle(begun=timedelta(0)),  # the stream began in this minute
        other_candle(begun=MINUTE, known_before=True),
        other_candle(begun=MINUTE, missed=f"INSERT INTO outages VALUES (2, :minute, '{T}', '{T}')"),
        other_candle(begun=MINUTE, missed=f"INSERT INTO dropped_ticks VALUES (2, :minute, 3, '{T}')"),
        bar(ticks=2),
        outage(repaired=True),
        tick(price=100.0, size=None, side=None, kind="p", source="r", ts=LAST),  # polled: exempt from trade checks
        move(high=152.9),
        move(low=51.1),
        move(atr=0.26, high=105.0),
        bar(close=101.005, high=101.005),
        bar(volume=1.0009),
        bar(volume=None, quote_volume=None),
        bar(start=T - 31 * MINUTE, outage=True),
        bar(start=T - 5 * MINUTE, outage=True, repaired=True),
        statement(
            f"UPDATE positions SET desired_status = 'archived';{ALLOW}DELETE FROM ticks WHERE instrument_id = :faulty"
        ),
        statement(
            f"UPDATE instruments SET stale_after = '3 minutes' WHERE instrument_id = :faulty;{ALLOW}DELETE FROM ticks"
            " WHERE instrument_id = :faulty AND ts > :t - interval '2 minutes'"
        ),
    ],
)
def test_what_is_within_the_limits_is_no_fault(engine: Engine, admin: Connection, plant: Plant) -> None:
    plant(admin, engine)
    assert not run_checks(engine).errors
    assert findings(admin) == set()


def test_minutes_with_more_ticks_are_counted_as_late_and_those_only_rewritten_are_not(
    engine: Engine, admin: Connection
) -> None:
    late(ts=T - 8 * MINUTE)(admin, engine)
    add_tick(admin, engine, ts=T - 10 * MINUTE)
    admin.execute(
        text("INSERT INTO outages VALUES (2, :since, :until, :until)"), {"since": T - 30 * MINUTE, "until": T}
    )
    admin.execute(text("INSERT INTO dirty_minutes SELECT 2, ts FROM bars WHERE instrument_id = 2 AND timeframe = '1m'"))
    admin.commit()
    assert roll_up(engine, T).revised
    run_checks(engine)
    ((_, _, newest, values),) = finding_details(admin, "late_ticks")
    assert (newest, values) == (T - 8 * MINUTE, {"minutes": 2, "oldest": f"{T - 10 * MINUTE:%Y-%m-%dT%H:%M:%S+00:00}"})


def test_a_jump_that_the_venue_confirms_is_no_fault(engine: Engine, admin: Connection) -> None:
    admin.execute(
        text("UPDATE venue_candles SET high = 160, close = 160 WHERE instrument_id = 2 AND ts = :last"), {"last": LAST}
    )
    revise_bar(admin, high=160.0, close=160.0)
    run_checks(engine)
    assert findings(admin) == set()


def test_a_finding_names_the_bar_and_its_values(engine: Engine, admin: Connection) -> None:
    revise_bar(admin, low=-1.0)
    run_checks(engine)
    ((instrument_id, timeframe, ts, values),) = finding_details(admin, "bad_bar_price")
    assert (instrument_id, timeframe, ts) == (FAULTY, "1m", LAST)
    prices = {"open": 101, "high": 101, "low": -1, "close": 101}
    assert values == {"revision": 1, **prices, "volume": 1, "quote_volume": 101}


def test_polled_bars_without_volume_are_fine(engine: Engine, admin: Connection) -> None:
    """A series of polled prices, as on Solana."""
    admin.execute(
        text("""
            INSERT INTO instruments (token_chain, book_id, token_contract, symbol, lot, min_notional)
              VALUES ('solana', 'onchain_crypto', 'S', 'S', 1, 1);
            INSERT INTO positions (position_id, token_chain, book_id, token_contract, timeframe, weight)
              VALUES (gen_random_uuid(), 'solana', 'onchain_crypto', 'S', '1m', 1);
            INSERT INTO ticks SELECT ts, 4, trade_id, price, NULL, NULL, 'p', 'r' FROM ticks WHERE instrument_id = 1;
            INSERT INTO dirty_minutes SELECT 4, date_trunc('minute', ts) FROM ticks WHERE instrument_id = 4;
        """)
    )
    admin.commit()
    roll_up(engine, T)
    run_checks(engine)
    assert findings(admin) == set()


def test_the_limits_of_the_strategy_are_those_tested_here() -> None:
    limits = STRATEGY.quality
    assert (limits.future_tick_seconds, limits.max_move_atr, limits.max_move_pct, limits.outage_bars) == (5, 12, 50, 30)
    assert STRATEGY.history.bars_for_flags == 666
