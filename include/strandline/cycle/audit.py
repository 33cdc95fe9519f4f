"""The last step: what the tasks said against what the tables say, and nothing that failed stays green."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, text

from strandline.cycle.context import Context
from strandline.cycle.runs import Summary, TaskRun
from strandline.model.errors import StrandlineError


def audit(context: Context, run: TaskRun, said: Mapping[str, Mapping[str, Any]], failed: list[str]) -> Summary:
    """`said` is, by venue, where its chain ended according to the task that executed it; `failed` names tasks."""
    with context.database.connect() as connection:
        faults = [fault for chain, end in said.items() if (fault := _fault(connection, run, chain, end))]
    if faults:
        raise StrandlineError(
            f"the strands of {run.cycle:%Y-%m-%d %H:%M} are not what the tasks reported: {'; '.join(faults)}",
            "compare the tasks' XCom with the table strands before trading on",
        )
    if failed:
        raise StrandlineError(f"failed in this run: {', '.join(failed)}", "read their logs; clearing them is safe")
    return {"chains": {chain: end["last_hash"] for chain, end in said.items()}}


def _fault(connection: Connection, run: TaskRun, chain: str, end: Mapping[str, Any]) -> str | None:
    """Strands may have been added since the task looked; what it saw must still be there, and as many."""
    found = connection.execute(
        text("""
        SELECT count(*) AS strands, max(seq) AS last_seq,
               (SELECT hash FROM strands WHERE chain = :chain AND seq = :last_seq) AS last_hash
        FROM strands WHERE chain = :chain AND cycle_t = :cycle AND seq <= :last_seq
        """),
        {"chain": chain, "cycle": run.cycle, "last_seq": end["last_seq"] or 0},
    ).one()
    told = (end["strands"], end["last_seq"], end["last_hash"])
    there = (found.strands, found.last_seq, found.last_hash)
    return None if told == there else f"{chain} reported {told}, the table has {there}"
