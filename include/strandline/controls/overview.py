"""Reads all rows with their status, what they hold, and what was decided about them last."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import Connection, text


class RowOverview(NamedTuple):
    """One row. A, E and the last decision are those of its newest strand, which only changes are written to."""

    position: str
    position_id: str
    symbol: str | None
    status: str
    quantity: Decimal
    average_entry: Decimal | None
    weight: Decimal
    bars: int
    appetite: float | None
    exit_urgency: float | None
    decision: str | None
    reasons: tuple[str, ...]
    decided_at: datetime | None


def overview(connection: Connection, *, archived: bool = False) -> Sequence[RowOverview]:
    """Read every row, archived ones only if they are asked for."""
    rows = connection.execute(
        text("""
        SELECT concat_ws('/', p.token_chain, p.book_id, p.token_contract, p.timeframe) AS position, p.position_id,
               i.symbol, p.status, p.quantity, h.average_entry, p.weight, p.bar_count, s.ts, s.body::jsonb AS strand
        FROM position_rows p LEFT JOIN instruments i USING (token_chain, book_id, token_contract)
        LEFT JOIN holdings h USING (position_id)
        LEFT JOIN LATERAL (
          SELECT ts, body FROM strands WHERE strands.position_id = p.position_id AND kind IN ('decision', 'hold')
          ORDER BY seq DESC LIMIT 1
        ) AS s ON true
        WHERE :archived OR p.desired_status <> 'archived'
        ORDER BY p.token_chain, p.book_id, p.token_contract, p.timeframe
        """),
        {"archived": archived},
    )
    return [
        RowOverview(
            position=row.position,
            position_id=str(row.position_id),
            symbol=row.symbol,
            status=row.status,
            quantity=row.quantity,
            average_entry=row.average_entry,
            weight=row.weight,
            bars=row.bar_count,
            appetite=row.strand and row.strand["appetite"],
            exit_urgency=row.strand and row.strand["exit_urgency"],
            decision=row.strand and (row.strand["intent"] or {"decision": row.strand["kind"]})["decision"],
            reasons=tuple(row.strand["reasons"]) if row.strand else (),
            decided_at=row.ts,
        )
        for row in rows
    ]
