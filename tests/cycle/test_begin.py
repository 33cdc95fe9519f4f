"""The first step lets the live cycle trade, ends an overtaken one at once, and names what was missed."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from strandline.configuration import make_settings
from strandline.cycle.begin import begin
from strandline.cycle.context import Context
from strandline.cycle.cycle_time import CYCLE_LENGTH
from strandline.cycle.observe import observe
from strandline.cycle.runs import TaskRun, recorded
from strandline.cycle.venues import execute
from strandline.store.roles import Role
from strandline.strategy import load_strategy
from tests.conftest import Database
from tests.store.rows import HASH, insert

T = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
RUN = TaskRun(T, "trading_cycle", "a run", "scheduled", "begin_cycle", 1)


@pytest.fixture
def context(database: Database) -> Iterator[Context]:
    settings = make_settings()
    engine = database.engine(Role.APP)
    yield Context(settings, load_strategy(settings), engine, lambda: T + timedelta(seconds=3), "test")
    engine.dispose()


def plan(context: Context, cycle: datetime, outcome: str = "planned") -> None:
    with context.database.begin() as connection:
        digest = HASH if outcome == "planned" else None
        insert(connection, "cycles", cycle_t=cycle, outcome=outcome, decided_at=cycle, decision_digest=digest)


def rows(context: Context, table: str) -> int:
    with context.database.connect() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def test_the_first_cycle_of_all_trades_and_missed_none(context: Context) -> None:
    assert begin(context, RUN) == {"trades": True, "missed": {}, "unfinished": []}


def test_a_cycle_after_the_last_one_missed_none(context: Context) -> None:
    plan(context, T - CYCLE_LENGTH)
    assert begin(context, RUN)["missed"] == {}


def test_boundaries_that_nobody_planned_are_named(context: Context, caplog: pytest.LogCaptureFixture) -> None:
    plan(context, T - 4 * CYCLE_LENGTH)
    plan(context, T - 2 * CYCLE_LENGTH, "stale_cycle")
    with caplog.at_level(logging.WARNING):
        missed = begin(context, RUN)["missed"]
    assert missed == {"count": 3, "first": "2026-11-21T11:45:00+00:00", "last": "2026-11-21T11:55:00+00:00"}
    assert "nobody planned the 3 cycles from 2026-11-21T11:45:00+00:00" in caplog.text


def test_tasks_that_never_ended_are_named(context: Context) -> None:
    with context.database.begin() as connection:
        for ago, task_id in [(1, "execute__frozen"), (1, "plan_intents"), (2, "run_engine"), (3, "long_ago")]:
            insert(connection, "runs", cycle_t=T - ago * CYCLE_LENGTH, task_id=task_id)
        insert(connection, "runs", cycle_t=T - CYCLE_LENGTH, task_id="plan_intents", ended_at=T, succeeded=True)
    assert begin(context, RUN)["unfinished"] == ["run_engine of 11:50", "execute__frozen of 11:55"]


@pytest.mark.parametrize(
    ("newer", "run_type", "age", "reason"),
    [
        (True, "scheduled", timedelta(seconds=3), "superseded"),
        (False, "scheduled", timedelta(minutes=7), "stale_cycle"),
        (False, "backfill", timedelta(seconds=3), "backfill"),
    ],
)
def test_a_run_that_may_not_trade_ends_here(
    context: Context, database: Database, newer: bool, run_type: str, age: timedelta, reason: str
) -> None:
    if newer:
        plan(context, T + CYCLE_LENGTH)
    late = replace(context, clock=lambda: T + age)
    began = begin(late, replace(RUN, run_type=run_type))
    assert (began["trades"], began["outcome"]) == (False, reason)
    # Bars, checks and signals are brought up to date, and the reason is stored.
    assert {"roll_up", "check", "engine", "check_signals"} <= began.keys()
    checked = rows(context, "quality_runs")
    assert checked > 0
    with context.database.connect() as connection:
        assert connection.scalar(text("SELECT outcome FROM cycles WHERE cycle_t = :t"), {"t": T}) == reason

    # Cleared, it does so again only if something came in.
    assert begin(late, replace(RUN, run_type=run_type)) == {"trades": False, "outcome": reason, "recomputed": False}
    assert rows(context, "quality_runs") == checked
    with database.session() as connection:
        insert(connection, "instruments")
        insert(connection, "dirty_minutes", minute=T - timedelta(minutes=1))
    assert begin(late, replace(RUN, run_type=run_type))["roll_up"]["minutes"] == 1


def test_an_overtaken_run_asks_no_venue(context: Context) -> None:
    """Its settings name no address and no endpoint, so that any question would fail."""
    plan(context, T + CYCLE_LENGTH)
    assert observe(context, RUN) == {"outcome": "superseded"}
    venue = context.venues[0]
    assert execute(context, RUN, venue.slug) == {
        "chain": str(venue), "outcome": "superseded", "strands": 0, "last_seq": None, "last_hash": None
    }  # fmt: skip


def test_a_planned_cycle_that_runs_again_soon_goes_on(context: Context) -> None:
    """Its intents may still wait to be executed."""
    plan(context, T)
    assert begin(context, RUN)["trades"] is True


def test_a_run_is_kept_with_its_end_and_its_error(context: Context) -> None:
    with recorded(context, RUN) as summary:
        summary["bars"] = 3
    with pytest.raises(ValueError, match="no bars"), recorded(context, RUN):
        raise ValueError("no bars")
    with context.database.connect() as connection:
        kept = connection.execute(text("SELECT succeeded, summary FROM runs ORDER BY run_no")).all()
    assert [tuple(row) for row in kept] == [(True, {"bars": 3}), (False, {"error": "ValueError: no bars"})]
