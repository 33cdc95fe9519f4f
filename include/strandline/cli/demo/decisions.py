"""Formats the decisions of a cycle and their outcomes, from its strands."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from rich.table import Table
from sqlalchemy import Connection, text

from strandline.model.rule import Rule

_SHOWN_DIGIT: Final = 0.005


def cycle_of_run(connection: Connection, run_id: str) -> datetime | None:
    """Return the cycle of an Airflow run; None until one of its tasks has started."""
    cycle: datetime | None = connection.scalar(
        text("SELECT max(cycle_t) FROM runs WHERE run_id = :run_id"), {"run_id": run_id}
    )
    return cycle


def decisions(connection: Connection, cycle: datetime) -> Table:
    """Return a table with a line per strand: orders first, then holds with a new reason.

    A and E are shown where they are not neutral; if they are neutral in all lines, their columns are left out.
    """
    rows = connection.execute(
        text("""
        SELECT s.chain, s.kind::text AS kind, i.symbol || ' ' || p.timeframe AS token, s.body::jsonb AS strand
        FROM strands s JOIN positions p USING (position_id)
        JOIN instruments i USING (token_chain, book_id, token_contract)
        WHERE s.cycle_t = :cycle AND s.kind IN ('decision', 'hold', 'outcome')
        ORDER BY s.kind = 'hold', s.chain, s.seq
        """),
        {"cycle": cycle},
    ).all()
    scores = ("A", "E") if any(not is_neutral(row.strand) for row in rows) else ()
    table = Table(
        "venue", "token", "decision", "why", *scores, "outcome", title=f"Cycle {cycle:%H:%M} UTC", title_justify="left"
    )
    for row in rows:
        cells = _cells(row.chain, row.kind, row.token, row.strand, with_scores=bool(scores))
        table.add_row(*cells, style=None if row.kind != "hold" else "dim")
    table.caption = " ".join(_remarks(connection, cycle, len(rows), with_scores=bool(scores)))
    table.caption_justify = "left"
    return table


def is_neutral(strand: Mapping[str, Any]) -> bool:
    """Whether A and E equal their values without any information about market, portfolio and position."""
    terms, neutral = strand["terms"], strand["inputs"].get("neutral_terms", "").split()
    if not {"meso", "macro"} <= set(neutral):
        return not terms
    a, e = terms["meso_a"] * terms["macro_a"], terms["meso_e"] * terms["macro_e"]
    return bool(max(abs(a - strand["appetite"]), abs(e - strand["exit_urgency"])) < _SHOWN_DIGIT)


def _cells(chain: str, kind: str, token: str, strand: dict[str, Any], *, with_scores: bool) -> Iterator[str]:
    intent = strand["intent"]
    yield chain.partition("/")[0]
    yield token
    yield intent["decision"] if intent else kind
    rule = f"{Rule(strand['rule']).label}: " if strand["rule"] else ""
    reason = f" ({intent['exit_reason']})" if intent and intent["exit_reason"] else ""
    yield f"{rule}{', '.join(strand['reasons'])}{reason}"
    if with_scores:
        for score in (strand["appetite"], strand["exit_urgency"]):
            yield "" if is_neutral(strand) or score is None else f"{score:.2f}"
    yield _outcome(strand)


def _remarks(connection: Connection, cycle: datetime, shown: int, *, with_scores: bool) -> Iterator[str]:
    decided = connection.scalar(text("SELECT decisions FROM cycles WHERE cycle_t = :cycle"), {"cycle": cycle})
    if (more := (decided or 0) - shown) > 0:
        yield f"{more} more rows hold for the same reasons as before."
    if not with_scores and shown:
        yield "A and E are neutral for every row: the market's regime is not known yet."


def _outcome(strand: dict[str, Any]) -> str:
    result = strand["result"]
    if result is None:
        return f"skipped: {strand['skip_reason']}" if strand["skip_reason"] else ""
    if not result["fills"]:
        return str(result["status"]) + (f": {result['error']}" if result["error"] else "")
    price = Decimal(result["average_price"])
    pnl = f", trade closed with {Decimal(strand['pnl']):+.2f}" if strand["pnl"] is not None else ""
    return f"{result['status']} {Decimal(result['filled']):f} at {price:.6g}{pnl}"
