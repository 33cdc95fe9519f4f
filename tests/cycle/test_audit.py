"""The audit fails a run that hides something: strands that are not there, or a task that failed."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from strandline.configuration import make_settings
from strandline.cycle.audit import EXECUTE, audit
from strandline.cycle.context import Context
from strandline.cycle.runs import TaskRun
from strandline.ledger.strands import append, of_cycle
from strandline.model.errors import StrandlineError
from strandline.model.ids import derived_id
from strandline.model.strand import StrandDraft, StrandKind
from strandline.store.roles import Role
from strandline.strategy import load_strategy
from tests.conftest import Database
from tests.store.rows import HASH

T = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
RUN = TaskRun(T, "trading_cycle", "a run", "scheduled", "audit_strands", 1)
CHAIN = "hyperliquid/perps"
TASK = f"{EXECUTE}hyperliquid__perps"


@pytest.fixture
def context(database: Database) -> Iterator[Context]:
    settings = make_settings()
    engine = database.engine(Role.APP)
    yield Context(settings, load_strategy(settings), engine, lambda: T, "test")
    engine.dispose()


@pytest.fixture
def report(context: Context) -> dict[str, Any]:
    """What the executing task returned: two strands of this cycle."""
    drafts = [
        StrandDraft(
            strand_id=derived_id("test", number), kind=StrandKind.CONTROL, ts=T, cycle=T, code_version="test",
            strategy_hash=HASH,
        )
        for number in range(2)
    ]  # fmt: skip
    with context.database.begin() as connection:
        append(connection, CHAIN, drafts)
        return {"chain": CHAIN, **of_cycle(connection, T, CHAIN)._asdict()}


def audited(context: Context, report: Mapping[str, Any], **states: str | None) -> dict[str, Any]:
    return audit(context, RUN, {TASK: "success", **states}, {TASK: report}.__getitem__)


def test_a_true_report_passes(context: Context, report: dict[str, Any]) -> None:
    assert audited(context, report, plan_intents="success") == {"chains": {CHAIN: report["last_hash"]}}


@pytest.mark.parametrize("wrong", [{"strands": 3}, {"last_seq": 1}, {"last_hash": "f" * 64}, {"chain": "solana/x"}])
def test_a_report_that_differs_from_the_table_fails(
    context: Context, report: dict[str, Any], wrong: dict[str, Any]
) -> None:
    with pytest.raises(StrandlineError, match="not what the tasks reported"):
        audited(context, {**report, **wrong})


@pytest.mark.parametrize("state", ["failed", "upstream_failed"])
def test_a_task_that_failed_fails_the_run(context: Context, report: dict[str, Any], state: str) -> None:
    with pytest.raises(StrandlineError, match="failed in this run: run_engine"):
        audited(context, report, run_engine=state, observe_venues="success", audit_strands="running")


def test_a_venue_that_failed_or_was_not_chosen_is_not_asked_for_a_report(context: Context) -> None:
    reports: dict[str, dict[str, Any]] = {}
    assert audit(context, RUN, {TASK: "skipped", "audit_strands": None}, reports.__getitem__) == {"chains": {}}
    with pytest.raises(StrandlineError, match=TASK):
        audit(context, RUN, {TASK: "failed"}, reports.__getitem__)
