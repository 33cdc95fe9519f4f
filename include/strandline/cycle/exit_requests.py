"""Reads what people want sold: the newest request about each row."""

from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Connection, text

from strandline.model.ids import derived_id
from strandline.pm.inputs import ExitRequest


def exit_requests(connection: Connection) -> Mapping[UUID, ExitRequest]:
    """By position, for rows about which a request was ever made."""
    rows = connection.execute(
        text("""
        SELECT position_id, asked.control_no, asked.given_at
        FROM positions p JOIN LATERAL (
          SELECT control_no, given_at FROM controls c
          WHERE (c.control = 'force_exit' AND c.position_id = p.position_id)
             OR (c.control = 'flatten' AND (c.token_chain IS NULL
                 OR (c.token_chain, c.book_id) = (p.token_chain, p.book_id)))
          ORDER BY control_no DESC LIMIT 1
        ) AS asked ON true
        WHERE p.desired_status <> 'archived'
        """)
    )
    return {
        row.position_id: ExitRequest(number=row.control_no, request_id=_request_id(row.control_no, row.given_at))
        for row in rows
    }


def _request_id(number: int, given_at: datetime) -> UUID:
    """With the time: a database that was restored counts on from an older number."""
    return derived_id("request", number, given_at.astimezone(UTC).isoformat())
