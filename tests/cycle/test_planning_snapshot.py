"""A plan is one snapshot: whatever is booked while it is made, it is decided on one state of the database."""

from concurrent.futures import ThreadPoolExecutor
from time import sleep
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import event, text

from strandline.cycle.snapshot import ATTEMPTS
from strandline.ledger.strands import append
from strandline.model.errors import StrandlineError
from strandline.model.signal import Flag
from strandline.model.strand import StrandDraft, StrandKind
from strandline.store.roles import Role
from tests.cycle.planning_database import ATTEMPT, POSITION, PlanningDatabase, T
from tests.store.rows import INTENT, insert

CHAIN = "hyperliquid/perps"


@pytest.fixture
def planning(planning: PlanningDatabase) -> PlanningDatabase:
    """A row whose first buy of the attempt was sent in the cycle before, and whose signal is raised again."""
    planning.add_intent("first_buy", attempt_id=ATTEMPT, status="sent", intent_id=INTENT)
    planning.add("orders", status="sent")
    planning.add_signal(Flag.BUY_SIGNAL)
    return planning


def _book_the_fill(planning: PlanningDatabase) -> None:
    """The buy fills and the trade is closed again at once: the row is flat, and its attempt is bought."""
    with planning.database.session() as connection:
        insert(connection, "fills")
        insert(connection, "holdings", position_id=POSITION, quantity=0, average_entry=None, extracted="83.8")
        connection.execute(text("UPDATE intents SET status = 'done' WHERE intent_id = :id"), {"id": INTENT})


@pytest.mark.parametrize("number", range(1, 24))
def test_a_fill_booked_while_the_plan_is_made_never_buys_an_attempt_twice(
    planning: PlanningDatabase, number: int
) -> None:
    with planning.between_statements(number, lambda: _book_the_fill(planning)) as seen:
        planned = planning.plan()
    assert len(seen) >= number
    assert planned["outcome"] == "planned"
    assert planned["intents"] == []


def _append_a_strand(planning: PlanningDatabase) -> None:
    """Another writer adds to the chain that the plan will add to."""
    draft = StrandDraft(
        strand_id=uuid4(), kind=StrandKind.RECONCILIATION, ts=T, code_version="test", strategy_hash="a" * 64
    )
    with planning.database.session(Role.APP) as connection:
        append(connection, CHAIN, [draft])


def test_a_plan_that_is_overtaken_is_made_again(planning: PlanningDatabase) -> None:
    with planning.between_statements(12, lambda: _append_a_strand(planning)) as seen:
        assert planning.plan()["outcome"] == "planned"
    assert sum(statement.startswith("LOCK TABLE") for statement in seen) == 2
    assert planning.rows("SELECT outcome FROM cycles WHERE cycle_t = :cycle", cycle=T)[0].outcome == "planned"


def test_a_plan_that_is_always_overtaken_fails_and_leaves_nothing(planning: PlanningDatabase) -> None:
    numbers: list[int] = []

    def interfere(*args: Any) -> None:
        if "FROM marks" in args[2]:
            numbers.append(1)
            _append_a_strand(planning)

    event.listen(planning.context.database, "after_cursor_execute", interfere)
    with pytest.raises(StrandlineError, match="overtaken"):
        planning.plan()
    assert len(numbers) == ATTEMPTS
    assert not planning.rows("SELECT FROM cycles WHERE cycle_t = :cycle", cycle=T)


def test_two_planners_of_a_cycle_plan_it_once(planning: PlanningDatabase) -> None:
    with ThreadPoolExecutor(2) as threads:
        outcomes = [each.result(60)["outcome"] for each in [threads.submit(planning.plan) for _ in range(2)]]
    assert sorted(outcomes) == ["already_planned", "planned"]


def test_a_planner_that_waited_for_another_reads_what_that_one_left(planning: PlanningDatabase) -> None:
    """A snapshot from before the wait would not have the cycle, and would plan it a second time."""
    with planning.database.session() as blocker:
        blocker.execute(text("LOCK TABLE planner_state IN SHARE ROW EXCLUSIVE MODE"))
        with ThreadPoolExecutor(1) as threads:
            waiting = threads.submit(planning.plan)
            while not (waits := planning.rows("SELECT query FROM pg_stat_activity WHERE wait_event_type = 'Lock'")):
                assert not waiting.done(), "it did not wait"
                sleep(0.01)
            assert [row.query.split()[0] for row in waits] == ["LOCK"], "it read before it waited"
            insert(blocker, "cycles", cycle_t=T)
            blocker.commit()
            assert waiting.result(30) == {"outcome": "already_planned"}


def test_the_row_buys_if_the_attempt_was_not_bought(planning: PlanningDatabase) -> None:
    """Without this, the others could hold because nothing is ever bought."""
    planning.change("UPDATE intents SET status = 'failed'")
    planned = planning.plan()
    assert len(planned["intents"]) == 1
