"""`strandline cycles`: what each cycle came to, and taking one back."""

from datetime import UTC, datetime, timedelta
from getpass import getuser

import pytest
from sqlalchemy import text

from strandline.cycle.cycle_time import last_complete_cycle
from tests.cli.conftest import Command
from tests.conftest import Database
from tests.store.rows import insert, insert_all

NOW = last_complete_cycle(datetime.now(UTC))
AHEAD = NOW + timedelta(hours=2)


@pytest.fixture(autouse=True)
def _in_this_database(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRANDLINE_DATABASE_URL", database.url.render_as_string(hide_password=False))


def test_none_yet(strandline: Command) -> None:
    assert strandline("cycles", "list").out == "No cycle has been planned yet.\n"


def test_the_newest_come_first_and_those_of_the_future_are_marked(strandline: Command, database: Database) -> None:
    with database.session() as connection:
        insert_all(connection, "instruments", "positions", "cycles", "intents", "venue_accounts", "orders")
        insert(connection, "cycles", cycle_t=NOW, outcome="superseded", decision_digest=None)
        insert(connection, "cycles", cycle_t=AHEAD)
    lines = strandline("cycles", "list").out.splitlines()
    assert lines[0].startswith(f"{AHEAD:%Y-%m-%dT%H:%MZ}  planned ")
    assert lines[0].endswith("0 intents, 0 with orders  in the future")
    assert lines[1].startswith(f"{NOW:%Y-%m-%dT%H:%MZ}  superseded ")
    assert lines[2].startswith("2026-01-01T00:05Z  planned ")
    assert lines[2].endswith("1 intents, 1 with orders")
    assert len(strandline("cycles", "list", "-n", "1").out.splitlines()) == 1


def test_a_cycle_that_left_prices_without_a_plan_is_listed(strandline: Command, database: Database) -> None:
    with database.session() as connection:
        insert_all(connection, "instruments", "marks")
        insert(connection, "marks", cycle_t=AHEAD)
    lines = strandline("cycles", "list").out.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(f"{AHEAD:%Y-%m-%dT%H:%MZ}  unplanned    decided never ")
    assert lines[0].endswith("0 intents, 0 with orders  in the future")


def test_voiding_names_the_person_and_says_what_it_did(strandline: Command, database: Database) -> None:
    with database.session() as connection:
        insert(connection, "cycles", cycle_t=AHEAD)
    ended = strandline("cycles", "void", f"{AHEAD:%Y-%m-%dT%H:%MZ}", "--reason", "the clock had jumped")
    assert ended.out.startswith(f"The cycle of {AHEAD:%Y-%m-%dT%H:%MZ} is void: 0 intents skipped, ")
    with database.session() as connection:
        inputs = connection.scalar(text("SELECT body::jsonb -> 'inputs' FROM strands WHERE chain = 'system'"))
    assert inputs is not None
    assert (inputs["person"], inputs["reason"]) == (getuser(), "the clock had jumped")


def test_orders_are_kept_only_if_that_is_asked_for(strandline: Command, database: Database) -> None:
    with database.session() as connection:
        insert_all(connection, "instruments", "positions", "cycles")
        insert(connection, "intents", status="done")
    void = ("cycles", "void", "2026-01-01T00:05Z", "--reason", "planned twice")
    refused = strandline(*void)
    assert refused.code == 1
    assert "BTC 1h (add, done)" in refused.err
    assert strandline(*void, "--keep-orders").out.startswith(
        "The cycle of 2026-01-01T00:05Z is void: 0 intents skipped, 1 "
    )


def test_a_reason_is_required(strandline: Command, database: Database) -> None:
    with database.session() as connection:
        insert(connection, "cycles", cycle_t=AHEAD)
    refused = strandline("cycles", "void", f"{AHEAD:%Y-%m-%dT%H:%MZ}")
    assert refused.code == 2
    with database.session() as connection:
        assert connection.scalar(text("SELECT outcome FROM cycles")) == "planned"


@pytest.mark.parametrize(
    ("cycle", "code", "problem"),
    [
        ("2026-11-21T14:00", 2, "write 2026-11-21T14:00Z if UTC is meant"),
        ("noon", 2, "write it as 2026-11-21T14:00Z"),
        ("2026-11-21T16:00+02:00", 1, "strandline: nothing was done for 2026-11-21T14:00Z; see `strandline cycles"),
    ],
)
def test_a_cycle_that_is_not_there_is_refused(strandline: Command, cycle: str, code: int, problem: str) -> None:
    ended = strandline("cycles", "void", cycle, "--reason", "why not")
    assert ended.code == code
    assert problem in " ".join(ended.err.replace("│", " ").split())
