"""Reads filled intents and ended exits. The planner counts what was filled, never what was only planned."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from strandline.model.exact import Price, Quantity
from strandline.model.record import Record
from strandline.model.rule import Rule
from strandline.model.side import Side
from strandline.store.rows import from_row


class FilledIntent(Record, frozen=True, kw_only=True):
    """An intent of which something was filled, with the fields by which the planner counts it."""

    intent_id: UUID
    position_id: UUID
    trade_no: int
    rule: Rule
    side: Side
    attempt_id: datetime | None
    trend_id: datetime | None
    state_since: datetime | None
    bar_count: int | None
    level_id: datetime | None
    quantity: Quantity
    average_price: Price


def filled_intents(connection: Connection, since: datetime) -> tuple[FilledIntent, ...]:
    """Read the filled intents of bars from `since` on, in the order in which they were filled."""
    rows = connection.execute(
        text("""
        SELECT i.intent_id, i.position_id, i.trade_no, i.rule, i.side, i.attempt_id, i.trend_id, i.state_since,
               i.bar_count, i.level_id, sum(f.quantity) AS quantity,
               sum(f.price * f.quantity) / sum(f.quantity) AS average_price
        FROM intents i JOIN orders o USING (intent_id) JOIN fills f USING (order_id)
        WHERE i.source_bar >= :since
        GROUP BY i.intent_id ORDER BY min(f.booked_no)
        """),
        {"since": since},
    )
    return tuple(from_row(FilledIntent, row) for row in rows)


def ended_exits(connection: Connection) -> Mapping[tuple[UUID, Rule], int]:
    """Count the ended exits of each row's open trade by rule, whether they sold anything or not."""
    rows = connection.execute(
        text("""
        SELECT position_id, rule, count(*) AS ended
        FROM intents i JOIN holdings h USING (position_id)
        WHERE i.side = 'sell' AND NOT is_open(i.status) AND i.trade_no = h.trade_no
        GROUP BY position_id, rule
        """)
    )
    return {(row.position_id, Rule(row.rule)): row.ended for row in rows}
