"""What became of earlier intents. The planner counts by fills, never by what was only planned."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, text

from strandline.execution.intents import OutboxIntent, read
from strandline.model.exact import Price, Quantity
from strandline.model.intent import Decision
from strandline.model.signal import EngineState


class Filled(NamedTuple):
    """An intent of which something was filled; `inputs` are its evidence's: attempt, trend, visit, level."""

    intent_id: UUID
    position_id: UUID
    trade_no: int
    rule: int
    decision: Decision
    state: EngineState
    source_bar: datetime
    inputs: Mapping[str, str]
    quantity: Quantity
    average_price: Price
    filled_at: datetime


def filled_intents(connection: Connection, since: datetime) -> tuple[Filled, ...]:
    """Those of bars from `since` on, in the order in which they were filled."""
    rows = connection.execute(
        text("""
        SELECT i.intent_id, i.position_id, i.trade_no, i.rule, i.decision, i.state, i.source_bar,
               i.evidence -> 'inputs' AS inputs, sum(f.quantity) AS quantity,
               sum(f.price * f.quantity) / sum(f.quantity) AS average_price, max(f.ts) AS filled_at
        FROM intents i JOIN orders o USING (intent_id) JOIN fills f USING (order_id)
        WHERE i.source_bar >= :since
        GROUP BY i.intent_id ORDER BY min(f.booked_no)
        """),
        {"since": since},
    )
    return tuple(
        Filled(
            intent_id=row.intent_id,
            position_id=row.position_id,
            trade_no=row.trade_no,
            rule=row.rule,
            decision=Decision(row.decision),
            state=EngineState(row.state),
            source_bar=row.source_bar,
            inputs=row.inputs or {},
            quantity=Quantity(row.quantity),
            average_price=Price(row.average_price),
            filled_at=row.filled_at,
        )
        for row in rows
    )


def ended_exits(connection: Connection) -> Mapping[tuple[UUID, int], int]:
    """By row and rule, how many exits of the open trade have ended, whether they sold anything or not."""
    rows = connection.execute(
        text("""
        SELECT position_id, rule, count(*) AS ended
        FROM intents i JOIN holdings h USING (position_id)
        WHERE i.side = 'sell' AND i.status IN ('skipped', 'done', 'failed') AND i.trade_no = h.trade_no
        GROUP BY position_id, rule
        """)
    )
    return {(row.position_id, row.rule): row.ended for row in rows}


def open_intents(connection: Connection) -> tuple[OutboxIntent, ...]:
    """Those whose end is not known; an entry among them keeps its notional reserved."""
    return read(
        connection,
        connection.scalars(
            text("SELECT intent_id FROM intents WHERE status IN ('planned', 'preparing', 'ready', 'sent', 'unknown')")
        ),
    )
