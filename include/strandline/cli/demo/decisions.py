"""What a cycle decided and what became of it, as its strands tell it."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from rich.table import Table
from sqlalchemy import Connection, text


def cycle_of_run(connection: Connection, run_id: str) -> datetime | None:
    """Which cycle an Airflow run was about."""
    cycle: datetime | None = connection.scalar(
        text("SELECT max(cycle_t) FROM runs WHERE run_id = :run_id"), {"run_id": run_id}
    )
    return cycle


def decisions(connection: Connection, cycle: datetime) -> Table:
    """A line per strand: orders first, then rows that hold for another reason than before."""
    table = Table(
        "venue", "token", "decision", "why", "A", "E", "outcome", title=f"Cycle {cycle:%H:%M} UTC", title_justify="left"
    )
    rows = connection.execute(
        text("""
        SELECT s.chain, s.kind::text AS kind, i.symbol || ' ' || p.timeframe AS token, s.body::jsonb AS told
        FROM strands s JOIN positions p USING (position_id)
        JOIN instruments i USING (token_chain, book_id, token_contract)
        WHERE s.cycle_t = :cycle AND s.kind IN ('decision', 'hold', 'outcome')
        ORDER BY s.kind = 'hold', s.chain, s.seq
        """),
        {"cycle": cycle},
    ).all()
    for row in rows:
        table.add_row(*_cells(row.chain, row.kind, row.token, row.told), style=None if row.kind != "hold" else "dim")
    silent = _held_as_before(connection, cycle, len(rows))
    if silent:
        table.caption = f"{silent} more rows hold for the same reasons as before."
    return table


def _cells(chain: str, kind: str, token: str, told: dict[str, Any]) -> Iterator[str]:
    intent = told["intent"]
    yield chain.partition("/")[0]
    yield token
    yield intent["decision"] if intent else kind
    rule = f"rule {told['rule']}: " if told["rule"] else ""
    reason = f" ({intent['exit_reason']})" if intent and intent["exit_reason"] else ""
    yield f"{rule}{', '.join(told['reasons'])}{reason}"
    yield _two(told["appetite"])
    yield _two(told["exit_urgency"])
    yield _outcome(told)


def _outcome(told: dict[str, Any]) -> str:
    result = told["result"]
    if result is None:
        return f"skipped: {told['skip_reason']}" if told["skip_reason"] else ""
    if not result["fills"]:
        return str(result["status"]) + (f": {result['error']}" if result["error"] else "")
    price = Decimal(result["average_price"])
    pnl = f", trade closed with {Decimal(told['pnl']):+.2f}" if told["pnl"] is not None else ""
    return f"{result['status']} {Decimal(result['filled']):f} at {price:.6g}{pnl}"


def _two(number: float | None) -> str:
    return "" if number is None else f"{number:.2f}"


def _held_as_before(connection: Connection, cycle: datetime, told: int) -> int:
    decided = connection.scalar(text("SELECT decisions FROM cycles WHERE cycle_t = :cycle"), {"cycle": cycle})
    return max((decided or 0) - told, 0)
