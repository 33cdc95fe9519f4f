"""Every step refuses a cycle that is not over, and leaves nothing but the refusal."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from strandline.cycle import steps
from strandline.cycle.context import utc_now
from strandline.cycle.cycle_time import CycleNotOverError, last_complete_cycle
from strandline.cycle.runs import TaskRun
from tests.conftest import Database

STEPS: dict[str, Callable[[TaskRun], Any]] = {
    "begin_cycle": steps.begin_cycle,
    "observe_venues": steps.observe_venues,
    "roll_up_bars": steps.roll_up_bars,
    "check_quality": steps.check_quality,
    "run_engine": steps.run_engine,
    "check_signals": steps.check_signals,
    "plan_intents": steps.plan_intents,
    "choose_venues": steps.choose_venues,
    "execute_venue": lambda run: steps.execute_venue(run, "hyperliquid__perps"),
    "audit_strands": lambda run: steps.audit_strands(run, {}, dict[str, dict[str, Any]]().__getitem__),
}


@pytest.mark.parametrize("name", STEPS)
def test_a_cycle_that_is_not_over_is_refused(database: Database, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """As with as_of two hours ahead, by a slip of the time zone."""
    monkeypatch.setenv("STRANDLINE_DATABASE_URL", database.url.render_as_string(hide_password=False))
    ahead = last_complete_cycle(utc_now() + timedelta(hours=2))
    run = TaskRun(ahead, "trading_cycle", "manual__ahead", "manual", name, 1)
    with pytest.raises(CycleNotOverError, match="time zone"):
        STEPS[name](run)
    with database.session() as connection:
        assert connection.scalar(text("SELECT count(*) FROM cycles")) == 0
        kept = connection.execute(text("SELECT task_id, succeeded, summary->>'error' AS error FROM runs")).one()
    assert (kept.task_id, kept.succeeded) == (name, False)
    assert "is not over" in kept.error
