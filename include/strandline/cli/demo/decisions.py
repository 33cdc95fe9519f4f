"""Formats the decisions of a cycle and their outcomes, from its strands."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from rich.table import Table
from sqlalchemy import Connection, text

from strandline.model.rule import Rule

_PHASES: Final = {"1h": "meso_phase", "1d": "macro_phase"}
_DRIVERS: Final = {"btc": "BTC", "index": "index"}
_KINDS: Final = ("buy", "trim", "emergency")


def cycle_of_run(connection: Connection, run_id: str) -> datetime | None:
    """Return the cycle of an Airflow run; None until one of its tasks has started."""
    cycle: datetime | None = connection.scalar(
        text("SELECT max(cycle_t) FROM runs WHERE run_id = :run_id"), {"run_id": run_id}
    )
    return cycle


def decisions(connection: Connection, cycle: datetime) -> Table:
    """Return a table with a line per strand, orders first, then holds with a new reason; below it the market."""
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
    table = Table(
        "venue", "token", "decision", "why", "A", "E", "outcome", title=f"Cycle {cycle:%H:%M} UTC", title_justify="left"
    )
    for row in rows:
        table.add_row(*_cells(row.chain, row.kind, row.token, row.strand), style=None if row.kind != "hold" else "dim")
    lines = [_more(connection, cycle, len(rows))]
    lines += next((market_in_words(row.strand) for row in rows if row.strand["terms"]), [])
    table.caption = "\n".join(line for line in lines if line)
    table.caption_justify = "left"
    return table


def market_in_words(strand: Mapping[str, Any]) -> list[str]:
    """What the market gives to A and E of every row, what the portfolio makes of it, and what is not known."""
    terms, inputs = strand["terms"], strand["inputs"]
    unknown = inputs.get("neutral_terms", "").split()
    phases = [f"{length} {inputs[key]}" for length, key in _PHASES.items() if key in inputs]
    drivers = [
        f"{driver} {kind} {terms[f'{name}_{kind}']:.2f}"
        for name, driver in _DRIVERS.items()
        for kind in _KINDS
        if terms[f"{name}_{kind}"]
    ]
    a = terms["meso_a"] * terms["macro_a"] + terms["drivers_a"]
    e = terms["meso_e"] * terms["macro_e"] + terms["drivers_e"]
    pressure, cut_a, cut_e = (terms[name] for name in ("cut_pressure", "cut_a", "cut_e"))
    lines = [
        f"The market: {', '.join((*phases, *drivers)) or 'nothing is known of it'}: A {a:.2f}, E {e:.2f}.",
        f"The portfolio's cut pressure is {pressure:.2f}: A × {cut_a:.2f}, E × {cut_e:.2f}.",
    ]
    return [*lines, f"Not known yet, and neutral: {', '.join(unknown)}."] if unknown else lines


def _cells(chain: str, kind: str, token: str, strand: dict[str, Any]) -> Iterator[str]:
    intent = strand["intent"]
    yield chain.partition("/")[0]
    yield token
    yield intent["decision"] if intent else kind
    rule = f"{Rule(strand['rule']).label}: " if strand["rule"] else ""
    reason = f" ({intent['exit_reason']})" if intent and intent["exit_reason"] else ""
    yield f"{rule}{', '.join(strand['reasons'])}{reason}"
    for score in (strand["appetite"], strand["exit_urgency"]):
        yield "" if score is None else f"{score:.2f}"
    yield _outcome(strand)


def _more(connection: Connection, cycle: datetime, shown: int) -> str:
    decided = connection.scalar(text("SELECT decisions FROM cycles WHERE cycle_t = :cycle"), {"cycle": cycle})
    more = (decided or 0) - shown
    return f"{more} more rows hold for the same reasons as before." if more > 0 else ""


def _outcome(strand: dict[str, Any]) -> str:
    result = strand["result"]
    if result is None:
        return f"skipped: {strand['skip_reason']}" if strand["skip_reason"] else ""
    if not result["fills"]:
        return str(result["status"]) + (f": {result['error']}" if result["error"] else "")
    price = Decimal(result["average_price"])
    pnl = f", trade closed with {Decimal(strand['pnl']):+.2f}" if strand["pnl"] is not None else ""
    return f"{result['status']} {Decimal(result['filled']):f} at {price:.6g}{pnl}"
