"""The demo shows each cycle, and is not kept by one that does not end."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from strandline.cli.demo.session import Session

FROZEN, NEXT, BY_HAND = "scheduled__19:55", "scheduled__20:00", "by-hand"


class Airflow:
    """Answers from a table of runs, newest first, which `then` changes one poll later."""

    def __init__(self, runs: dict[str, str], then: dict[str, str]) -> None:
        self.runs = runs
        self.then = then

    def request(self, _method: str, path: str) -> tuple[int, Any]:
        if path.endswith("taskInstances"):
            return 200, {"task_instances": []}
        listed = [
            {"dag_run_id": run, "state": state, "data_interval_end": None} for run, state in reversed(self.runs.items())
        ]
        return 200, {"dag_runs": listed[:5]} if "?" in path else listed[-1]

    def pause(self, _seconds: float) -> None:
        if self.runs == self.then:
            raise TimeoutError("it waits for ever")
        self.runs = self.then


def follow(runs: dict[str, str], then: dict[str, str]) -> tuple[list[str], list[str]]:
    """What was wrong with the first of the runs, and what was reported."""
    airflow, reports = Airflow(runs, then), list[str]()
    stack: Any = SimpleNamespace(airflow=airflow, pause=airflow.pause)
    screen: Any = SimpleNamespace(report=reports.append)
    anything: Any = None
    session = Session(anything, stack, screen, anything, datetime.now(UTC))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "_show_decisions", lambda _: [])
        return session._follow(next(iter(runs))), reports


RUNNING = {FROZEN: "running"}


@pytest.mark.parametrize(
    "later",
    [
        {FROZEN: "running", NEXT: "success"},
        {FROZEN: "running", NEXT: "failed", "scheduled__20:05": "running"},
        {FROZEN: "running", **{f"scheduled__{number}": "success" for number in range(6)}},
    ],
)
def test_a_cycle_that_does_not_end_is_left_behind_by_the_next(later: dict[str, str]) -> None:
    faults, reports = follow(RUNNING, later)
    assert faults == ["the run did not end"]
    assert "going on without it" in reports[-1]


@pytest.mark.parametrize("later", [{BY_HAND: "success"}, {NEXT: "running"}])
def test_it_is_not_left_behind_before_that(later: dict[str, str]) -> None:
    assert follow(RUNNING | later, {FROZEN: "success"} | later) == ([], [f"cycle {FROZEN} begins"])
