"""The suite of signals: one sound signal for each final bar of the cycle, of every series that may raise flags."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from strandline.cycle.engine_step import run_engine
from strandline.model.timeframe import Timeframe
from strandline.quality import blocks
from strandline.store.roles import Role
from tests.conftest import Database, Server
from tests.quality.samples import (
    ALL,
    FAULTY,
    MINUTE,
    STRATEGY,
    Finding,
    T,
    finding_details,
    findings,
    revise_bar,
    run_checks,
    withheld,
)

pytestmark = pytest.mark.slow
LAST = T - MINUTE
Plant = Callable[[Connection], None]


@pytest.fixture(scope="session")
def stepped(server: Server, faultless: str) -> Iterator[str]:
    """The name of a faultless database whose series the engine has stepped to the end, to be copied."""
    database = server.create(faultless)
    engine = database.engine(Role.APP)
    assert run_engine(engine, STRATEGY, T).ready == 3
    engine.dispose()
    yield str(database.url.database)
    server.drop(database)


@pytest.fixture
def faultless_database(server: Server, stepped: str) -> Iterator[Database]:
    """A copy of it."""
    copy = server.create(stepped)
    yield copy
    server.drop(copy)


def statement(sql: str) -> Plant:
    """Run a statement about the faulty instrument's signals, which the database would refuse."""

    def plant(admin: Connection) -> None:
        admin.execute(text("ALTER TABLE features DISABLE TRIGGER append_only"))
        admin.execute(text(sql), {"faulty": FAULTY, "last": LAST})
        admin.commit()

    return plant


def value(path: str, json: str, ts: str = ":last") -> Plant:
    """Put another value into the newest signal."""
    return statement(
        f"UPDATE features SET uptrend_engine_v4 = jsonb_set(uptrend_engine_v4, '{{{path}}}', '{json}')"
        f" WHERE instrument_id = :faulty AND ts = {ts}"
    )


def copy(ts: str, revision: int) -> Plant:
    """Add a signal like the newest one, of another bar or revision."""
    return statement(
        "INSERT INTO features SELECT instrument_id, timeframe, "
        f"{ts}, generation, {revision}, engine_version, input_hash, uptrend_engine_v4, {revision}"
        " FROM features WHERE instrument_id = :faulty AND ts = :last"
    )


DELETED = statement("DELETE FROM features WHERE instrument_id = :faulty AND ts = :last")


def test_signals_of_the_engine_are_sound(engine: Engine, admin: Connection) -> None:
    result = run_checks(engine)
    assert (dict(result.findings), dict(result.errors)) == ({}, {})
    assert blocks(admin, T).all_entries == ()


@pytest.mark.parametrize(
    ("plant", "check_name"),
    [
        *((value(path, "null"), "signal_not_finite") for path in ("indicators,rsi", "scores,dx", "terms,ox_factor")),
        *((value(f"indicators,{name}", "null"), "signal_not_finite") for name in ("session_atr", "full_atr")),
        (value("indicators,slope20", "1e400"), "signal_not_finite"),
        (
            statement("UPDATE features SET uptrend_engine_v4 = uptrend_engine_v4 #- '{scores,edx}' WHERE ts = :last"
                      " AND instrument_id = :faulty"),
            "signal_not_finite",
        ),
        *((value(f"scores,{name}", "-0.01"), "signal_out_of_range") for name in ("ts", "ox", "edx", "dx")),
        *((value(f"scores,{name}", "1.01"), "signal_out_of_range") for name in ("ts", "ox", "edx", "dx")),
        *((value(f"indicators,{name}", "101"), "signal_out_of_range") for name in ("rsi", "adx")),
        *((value(f"indicators,{name}", "-0.1"), "signal_out_of_range") for name in ("rsi", "adx")),
        *((value(f"indicators,{name}", "-0.1"), "signal_out_of_range") for name in ("atr", "session_atr", "full_atr")),
        *((value(f"indicators,{name}", "0"), "signal_out_of_range") for name in ("close", "ema20", "ema333")),
        *((value(f"scores,boost_{name}", "0.26"), "signal_out_of_range") for name in ("ema60", "ema333")),
        (value("state", '"S5"'), "signal_out_of_range"),
        (DELETED, "not_one_signal_per_bar"),
        (copy(":last", 1), "not_one_signal_per_bar"),
        (copy(":last + interval '1 minute'", 0), "not_one_signal_per_bar"),
    ],
)  # fmt: skip
def test_a_planted_fault_is_found(engine: Engine, admin: Connection, plant: Plant, check_name: str) -> None:
    """It blocks its series: entries and trims, and nothing else."""
    plant(admin)
    assert not run_checks(engine).errors
    assert findings(admin) == {Finding(FAULTY, "1m", check_name, ALL)}
    blocked = blocks(admin, T)
    assert blocked.all_entries == ()
    assert blocked.of(FAULTY, Timeframe.M1) == ((ALL, check_name),)
    assert blocked.of(FAULTY, Timeframe.M5) == blocked.of(FAULTY - 1, Timeframe.M1) == ()


@pytest.mark.parametrize(
    "plant",
    [
        *(value(f"scores,{name}", number) for name in ("ts", "ox", "edx", "dx") for number in ("0", "1")),
        *(value(f"indicators,{name}", number) for name in ("rsi", "adx") for number in ("0", "100")),
        value("indicators,atr", "0"),
        *(value(f"scores,boost_{name}", "0.25") for name in ("ema60", "ema333")),
        *(value("state", f'"S{number}"') for number in range(5)),
        value("scores,ox", "null", ts=":last - interval '5 minutes'"),  # of an earlier cycle
        revise_bar,  # the engine does not step it again
    ],
)
def test_what_is_within_the_limits_is_no_fault(
    engine: Engine, admin: Connection, plant: Callable[[Connection], Any]
) -> None:
    if plant is revise_bar:
        revise_bar(admin, ticks=2)
    else:
        plant(admin)
    assert not run_checks(engine).errors
    assert findings(admin) == set()


def test_the_newest_signal_is_checked_however_old(engine: Engine, admin: Connection) -> None:
    value("scores,ox", "2")(admin)
    run_checks(engine, T + 60 * MINUTE)
    ((instrument_id, timeframe, ts, values),) = finding_details(admin, "signal_out_of_range")
    assert (instrument_id, timeframe, ts, values["ox"]) == (FAULTY, "1m", LAST, 2)


def test_a_bar_that_was_withheld_needs_no_signal(engine: Engine, admin: Connection) -> None:
    """Also when it has been mended since: the engine has gone on."""
    DELETED(admin)
    revise_bar(admin, low=-1.0)
    run_checks(engine)
    found = {finding.check_name for finding in findings(admin)}
    assert "bad_bar_price" in found
    assert "not_one_signal_per_bar" not in found
    revise_bar(admin, low=101.0)
    run_checks(engine)
    assert findings(admin) == set()


def test_a_finding_about_a_signal_withholds_no_bar(engine: Engine, admin: Connection) -> None:
    """The bar is sound: a series that is begun anew steps it."""
    value("scores,ox", "2")(admin)
    run_checks(engine)
    assert withheld(admin) == set()


def test_a_series_that_is_not_ready_is_not_checked(engine: Engine, admin: Connection) -> None:
    value("scores,ox", "2")(admin)
    admin.execute(text("UPDATE engine_states SET ready = false WHERE instrument_id = 2"))
    admin.commit()
    run_checks(engine)
    assert findings(admin) == set()
