"""No session waits without an end, and none keeps others waiting: real processes, really frozen."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import pytest
from psycopg2.extensions import get_wait_callback
from psycopg2.extras import wait_select
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from strandline.store.connect import connect, interruptible_waits
from strandline.store.connect_async import connect_async
from strandline.store.roles import Role
from strandline.store.timeouts import COMPUTING, OF_ROLE, TRADING, Timeouts
from tests.conftest import Database

NAMES = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
SHORT = Timeouts(lock=timedelta(seconds=20), statement=timedelta(seconds=20), idle_in_transaction=timedelta(seconds=1))
HOLDER = """
import sys, time
from sqlalchemy import make_url, text
from strandline.store.connect import connect, interruptible_waits
from strandline.store.roles import Role
from tests.store.test_timeouts import SHORT

with connect(make_url(sys.argv[1]), Role.APP, timeouts=SHORT).begin() as connection:
    connection.execute(text("SELECT seq FROM commit_counter FOR UPDATE"))
    print("locked", flush=True)
    sys.stdin.readline()
    connection.execute(text("SELECT 1"))
"""


@contextmanager
def holder(database: Database) -> Iterator[subprocess.Popen[str]]:
    """Another process with an open transaction that holds a lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, database.url.render_as_string(hide_password=False)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGCONT)
        process.kill()
        process.communicate()


@pytest.mark.parametrize("role", list(Role))
def test_every_session_has_time_limits(database: Database, role: Role) -> None:
    expected = OF_ROLE[role].parameters
    with database.session(role) as connection:
        found = connection.execute(
            text("SELECT name, setting FROM pg_settings WHERE name = ANY(:names)"), {"names": list(NAMES)}
        )
        assert {row.name: row.setting for row in found} == expected
    assert int(expected["lock_timeout"]) > 0
    assert int(expected["idle_in_transaction_session_timeout"]) > 0


def test_only_a_statement_of_a_migration_may_take_for_ever() -> None:
    without_end = {
        (name, parameter)
        for name, limits in [("trading", TRADING), ("computing", COMPUTING), *OF_ROLE.items()]
        for parameter, milliseconds in limits.parameters.items()
        if milliseconds == "0"
    }
    assert without_end == {(Role.OWNER, "statement_timeout")}


def test_sessions_of_the_event_loop_have_the_same(database: Database) -> None:
    async def found() -> dict[str, str]:
        connection = await connect_async(database.url, Role.INGEST)
        try:
            rows = await connection.fetch("SELECT name, setting FROM pg_settings WHERE name = ANY($1)", list(NAMES))
            return {row["name"]: row["setting"] for row in rows}
        finally:
            await connection.close()

    assert asyncio.run(found()) == OF_ROLE[Role.INGEST].parameters


def test_who_waits_for_a_lock_waits_longer_than_its_holder_may_do_nothing() -> None:
    shortest_wait = min(limits.lock for limits in (TRADING, OF_ROLE[Role.APP], OF_ROLE[Role.INGEST]))
    assert all(
        limits.idle_in_transaction < shortest_wait for limits in (TRADING, OF_ROLE[Role.APP], OF_ROLE[Role.INGEST])
    )


def test_a_process_that_is_frozen_inside_a_transaction_loses_its_locks(database: Database) -> None:
    with holder(database) as frozen, database.session(Role.APP) as connection:
        os.kill(frozen.pid, signal.SIGSTOP)
        # Without an end to the frozen one's transaction this fails with a lock time-out.
        connection.execute(text("SELECT seq FROM commit_counter FOR UPDATE"))


def test_a_frozen_process_that_goes_on_finds_its_transaction_gone(database: Database) -> None:
    with holder(database) as frozen:
        os.kill(frozen.pid, signal.SIGSTOP)
        with database.session(Role.APP) as connection:
            connection.execute(text("UPDATE commit_counter SET seq = seq + 1"))
        os.kill(frozen.pid, signal.SIGCONT)
        _, error = frozen.communicate("go on\n", timeout=30)
        assert frozen.returncode != 0
        assert "terminat" in error or "closed" in error


def test_a_lock_is_not_waited_for_without_an_end(database: Database) -> None:
    impatient = Timeouts(timedelta(milliseconds=50), timedelta(0), timedelta(0))
    with database.session(Role.APP) as holding:
        holding.execute(text("SELECT seq FROM commit_counter FOR UPDATE"))
        engine = connect(database.url, Role.APP, timeouts=impatient)
        with pytest.raises(DBAPIError, match="lock timeout"), engine.begin() as waiting:
            waiting.execute(text("SELECT seq FROM commit_counter FOR UPDATE"))
        engine.dispose()


INTERRUPTED = """
import signal, sys
from sqlalchemy import make_url, text
from strandline.store.connect import connect, interruptible_waits
from strandline.store.roles import Role

class Alarm(BaseException): ...
def ring(*_): raise Alarm
signal.signal(signal.SIGALRM, ring)
engine = connect(make_url(sys.argv[1]), Role.APP)
try:
    with interruptible_waits(), engine.begin() as connection:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        connection.execute(text("SELECT pg_sleep(40)"))
except Alarm:
    with engine.begin() as connection:
        print("interrupted", connection.scalar(text("SELECT 1")))
"""


def test_an_alarm_interrupts_a_statement(database: Database) -> None:
    """Airflow ends a task that takes too long by SIGALRM; the statement itself would go on for longer than we wait."""
    ended = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, database.url.render_as_string(hide_password=False)],
        capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    assert ended.stdout == "interrupted 1\n", ended.stderr[-2000:]


def test_waits_are_as_before_when_the_step_is_over() -> None:
    """The rest of the process may COPY again."""
    with interruptible_waits():
        assert get_wait_callback() is wait_select
    assert get_wait_callback() is None
