"""What Airflow and the form say of a run arrives in the library, each under its own name."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import pytest

from strandline.cycle.form import FIELDS, read_form
from strandline.cycle.runs import TaskRun, task_run
from strandline.model.errors import StrandlineError
from strandline.model.venue import VenueKey

END = datetime(2026, 11, 21, 12, 5, tzinfo=UTC)
EMPTY = {name: field["default"] for name, field in FIELDS.items()}


class Kind(StrEnum):
    MANUAL = "manual"


@dataclass
class Run:
    dag_id: str = "trading_cycle"
    run_id: str = "a run"
    run_type: Kind = Kind.MANUAL
    data_interval_end: datetime | None = END
    run_after: datetime = END


@dataclass
class Task:
    task_id: str = "plan_intents"
    try_number: int = 2


def test_a_run_without_a_filled_form() -> None:
    assert task_run(Run(), Task(), EMPTY) == TaskRun(
        cycle=END,
        dag_id="trading_cycle",
        run_id="a run",
        run_type="manual",
        task_id="plan_intents",
        try_number=2,
        venues=(),
        symbols=(),
        plan_only=False,
    )


@pytest.mark.parametrize(
    ("field", "value", "attribute", "expected"),
    [
        ("as_of", "2026-11-20T10:07:00Z", "cycle", datetime(2026, 11, 20, 10, 5, tzinfo=UTC)),
        ("as_of", "2026-11-20T10:07:00+02:00", "cycle", datetime(2026, 11, 20, 8, 5, tzinfo=UTC)),
        ("venues", ["hyperliquid/perps"], "venues", (VenueKey.parse("hyperliquid/perps"),)),
        ("symbols", ["ETH", "JUP"], "symbols", ("ETH", "JUP")),
        ("plan_only", True, "plan_only", True),
    ],
)
def test_each_field_of_the_form_changes_its_own_attribute(
    field: str, value: object, attribute: str, expected: object
) -> None:
    empty, filled = task_run(Run(), Task(), EMPTY), task_run(Run(), Task(), {**EMPTY, field: value})
    changed = {name for name in TaskRun.__annotations__ if getattr(empty, name) != getattr(filled, name)}
    assert changed == {attribute}
    assert getattr(filled, attribute) == expected


def test_a_date_without_a_time_zone_is_refused() -> None:
    with pytest.raises(StrandlineError, match="no time zone"):
        read_form({**EMPTY, "as_of": "2026-11-20T10:07:00"})


def test_the_form_has_the_fields_that_are_read() -> None:
    asked: set[str] = set()

    class Asked(dict[str, Any]):
        def __getitem__(self, name: str) -> Any:
            asked.add(name)
            return super().__getitem__(name)

    read_form(Asked(EMPTY))
    assert asked == set(FIELDS)
