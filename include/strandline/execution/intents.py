"""The outbox: reads, claims and advances intents."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, Row, text

from strandline.model.canonical import canonical_bytes, from_json
from strandline.model.evidence import Evidence
from strandline.model.intent import ExecutionIntent, IntentStatus
from strandline.model.venue import VenueKey
from strandline.store.rows import from_row, to_row

_OF_POSITION: Final = frozenset({"token_chain", "book_id", "token_contract", "timeframe"})
"""Columns of an intent's row in `positions`, which `intents` does not repeat."""


class OutboxIntent(NamedTuple):
    """A stored intent with its evidence, status and epoch."""

    intent: ExecutionIntent
    symbol: str | None
    evidence: Evidence
    status: IntentStatus
    epoch: int


def read(connection: Connection, intent_ids: Iterable[UUID]) -> tuple[OutboxIntent, ...]:
    """Read these intents: exits first, then in the order in which they were planned."""
    rows = connection.execute(
        text("""
        SELECT i.*, i.evidence::text AS evidence_json, p.token_chain, p.book_id, p.token_contract, p.timeframe, t.symbol
        FROM intents i JOIN positions p USING (position_id)
        LEFT JOIN instruments t USING (token_chain, book_id, token_contract) WHERE intent_id = ANY(:ids)
        ORDER BY side = 'buy', cycle_t, rule, i.appetite DESC, position_id, intent_id
        """),
        {"ids": list(intent_ids)},
    )
    return tuple(map(_outbox_intent, rows))


def outbox_row(intent: ExecutionIntent, evidence: Evidence, now: datetime) -> dict[str, Any]:
    """Return the columns of a new intent; `read` turns them back into the intent and its evidence."""
    row = to_row(intent) | {"status_at": now, "evidence": canonical_bytes(evidence).decode()}
    return {column: value for column, value in row.items() if column not in _OF_POSITION}


def read_open(connection: Connection) -> tuple[OutboxIntent, ...]:
    """Read all intents of which something may still happen at the venue; entries among them reserve their notional."""
    return read(connection, connection.scalars(text("SELECT intent_id FROM open_intents")))


def read_unsent(connection: Connection, venue: VenueKey) -> tuple[OutboxIntent, ...]:
    """Read the venue's intents that have no order yet."""
    query = text("""
    SELECT intent_id FROM open_intents
    WHERE is_unsent(status) AND (token_chain, book_id) = (:token_chain, :book_id)
    """)
    return read(connection, connection.scalars(query, to_row(venue)))


def claim(connection: Connection, planned: OutboxIntent, now: datetime) -> OutboxIntent | None:
    """Claim the intent, unless another process has claimed it since it was read.

    An intent that is `preparing` may be claimed again: the process that claimed it has died, or loses its claim now.
    """
    claimed = connection.execute(
        text("""
        UPDATE intents SET status = 'preparing', epoch = epoch + 1, status_at = :now
        WHERE intent_id = :intent_id AND epoch = :epoch AND is_unsent(status)
        """),
        {"intent_id": planned.intent.intent_id, "epoch": planned.epoch, "now": now},
    ).rowcount
    return planned._replace(status=IntentStatus.PREPARING, epoch=planned.epoch + 1) if claimed else None


def advance(
    connection: Connection, claimed: OutboxIntent, status: IntentStatus, now: datetime, reason: str | None = None
) -> bool:
    """Set the next status if the claim still holds; false if another process has claimed it."""
    moved = connection.execute(
        text("""
        UPDATE intents SET status = :status, status_reason = :reason, status_at = :now
        WHERE intent_id = :intent_id AND status = :before AND epoch = :epoch
        """),
        {
            "intent_id": claimed.intent.intent_id,
            "before": claimed.status,
            "epoch": claimed.epoch,
            "status": status,
            "reason": reason,
            "now": now,
        },
    ).rowcount
    return bool(moved)


def _outbox_intent(row: Row[Any]) -> OutboxIntent:
    intent = from_row(ExecutionIntent, row)
    return OutboxIntent(intent, row.symbol, _evidence(row.evidence_json, intent), IntentStatus(row.status), row.epoch)


def _evidence(stored: str, intent: ExecutionIntent) -> Evidence:
    """Read the stored evidence; an intent that a person inserted has none."""
    if stored == "{}":
        return Evidence(
            appetite=intent.appetite, exit_urgency=intent.exit_urgency, rules_not_fired={}, terms={}, inputs={}
        )
    return from_json(stored, Evidence)
