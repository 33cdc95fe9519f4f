"""The last step: compare what the tasks reported with the tables, and fail the run if anything in it failed."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import Connection, text

from strandline.cycle.context import Context
from strandline.cycle.runs import Summary, TaskRun
from strandline.model.errors import StrandlineError

EXECUTE: Final = "execute__"
"""What the names of the tasks that execute begin with; the venue's slug follows."""

_FAILED: Final = frozenset({"failed", "upstream_failed"})


def audit(
    context: Context, run: TaskRun, states: Mapping[str, str | None], report_of: Callable[[str], Mapping[str, Any]]
) -> Summary:
    """`states` has each task's state; `report_of` gets what an executing task returned: where its chain ended."""
    reports = [report_of(task) for task, state in states.items() if task.startswith(EXECUTE) and state == "success"]
    with context.database.connect() as connection:
        faults = [fault for report in reports if (fault := _fault(connection, run, report))]
    if faults:
        raise StrandlineError(
            f"the strands of {run.cycle:%Y-%m-%d %H:%M} are not what the tasks reported: {'; '.join(faults)}",
            "compare the tasks' XCom with the table strands before trading on",
        )
    failed = sorted(task for task, state in states.items() if state in _FAILED)
    if failed:
        raise StrandlineError(f"failed in this run: {', '.join(failed)}", "read their logs; clearing them is safe")
    return {"chains": {report["chain"]: report["last_hash"] for report in reports}}


def _fault(connection: Connection, run: TaskRun, report: Mapping[str, Any]) -> str | None:
    """Strands may have been added since the task looked; what it saw must still be there, and as many."""
    found = connection.execute(
        text("""
        SELECT count(*) AS strands, max(seq) AS last_seq,
               (SELECT hash FROM strands WHERE chain = :chain AND seq = :last_seq) AS last_hash
        FROM strands WHERE chain = :chain AND cycle_t = :cycle AND seq <= :last_seq
        """),
        {"chain": report["chain"], "cycle": run.cycle, "last_seq": report["last_seq"] or 0},
    ).one()
    reported = (report["strands"], report["last_seq"], report["last_hash"])
    stored = (found.strands, found.last_seq, found.last_hash)
    return None if reported == stored else f"{report['chain']} reported {reported}, the table has {stored}"
