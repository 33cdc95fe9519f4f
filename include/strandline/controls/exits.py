"""Exits that a person orders. The next cycle plans them before everything else, and each one again until it is flat."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Row, text

from strandline.controls.names import find_row
from strandline.controls.orders import Done, Signed, Subject, give
from strandline.cycle.context import Context
from strandline.cycle.cycle_time import CYCLE_LENGTH, last_complete_cycle
from strandline.cycle.exit_requests import exit_requests
from strandline.execution import cancel
from strandline.model.control import Control
from strandline.model.errors import StrandlineError
from strandline.model.venue import VenueKey

_OVERDUE: Final = 2 * CYCLE_LENGTH
"""After so long without a planned cycle the person is told that none may come."""


def force_exit(context: Context, name: str, signed: Signed) -> Done:
    """Sell one row."""
    with context.database.begin() as connection:
        row = find_row(connection, name)
        open_rows = _open_rows(connection, row.position_id, None)
        if not open_rows:
            raise StrandlineError(f"{row} holds nothing and buys nothing", "there is nothing to sell; nothing was done")
        if _requested(connection, open_rows):
            return Done(False, f"Nothing changed: {row} is being sold already, by an earlier order.")
        cancelled = _cancel_entries(connection, context, open_rows)
        about = Subject(row.position_id, row.key.token_contract)
        give(connection, context, Control.FORCE_EXIT, signed, about, facts={"row": str(row)})
        return Done(True, _in_words(connection, context, open_rows, cancelled))


def flatten(context: Context, venue: VenueKey | None, signed: Signed) -> Done:
    """Sell every row, of one venue or of all."""
    place = f"at {venue}" if venue else "at any venue"
    with context.database.begin() as connection:
        open_rows = _open_rows(connection, None, venue)
        if not open_rows:
            return Done(False, f"Nothing changed: nothing is held or being bought {place}.")
        if _requested(connection, open_rows):
            return Done(False, f"Nothing changed: all that is held {place} is being sold already, by an earlier order.")
        cancelled = _cancel_entries(connection, context, open_rows)
        facts = {"rows": " ".join(str(row.name) for row in open_rows)}
        give(connection, context, Control.FLATTEN, signed, Subject(venue=venue), facts=facts)
        return Done(True, _in_words(connection, context, open_rows, cancelled))


def _open_rows(connection: Connection, position_id: UUID | None, venue: VenueKey | None) -> Sequence[Row[Any]]:
    """The rows that hold something, or have a buy that may still become a holding."""
    return connection.execute(
        text("""
        SELECT position_id, concat_ws('/', token_chain, book_id, token_contract, timeframe) AS name,
               coalesce(symbol, token_contract) || ' ' || timeframe AS short,
               coalesce(quantity, 0) AS quantity, coalesce(settled_request, 0) AS settled
        FROM positions p LEFT JOIN holdings USING (position_id) LEFT JOIN planner_state USING (position_id)
        LEFT JOIN instruments USING (token_chain, book_id, token_contract)
        WHERE (quantity > 0 OR EXISTS (
            SELECT FROM intents i WHERE i.position_id = p.position_id AND side = 'buy' AND is_open(status)))
          AND (CAST(:position_id AS uuid) IS NULL OR position_id = :position_id)
          AND (CAST(:chain AS text) IS NULL OR (token_chain, book_id) = (:chain, :book))
        ORDER BY token_chain, book_id, token_contract, timeframe
        """),
        {
            "position_id": position_id,
            "chain": venue.token_chain if venue else None,
            "book": venue.book_id if venue else None,
        },
    ).all()


def _requested(connection: Connection, rows: Sequence[Row[Any]]) -> bool:
    """Whether all of these rows are to be sold already."""
    requests = exit_requests(connection)
    return all(row.position_id in requests and requests[row.position_id].number > row.settled for row in rows)


def _cancel_entries(connection: Connection, context: Context, rows: Sequence[Row[Any]]) -> int:
    """Skip the rows' entries that no executor has claimed: what they would buy would be sold at once."""
    planned = connection.scalars(
        text("""
        SELECT intent_id FROM intents WHERE position_id = ANY (:ids) AND side = 'buy' AND status = 'planned'
        ORDER BY intent_id
        """),
        {"ids": [row.position_id for row in rows]},
    ).all()
    return len(cancel(connection, planned, "manual_exit", now=context.clock(), code_version=context.code_version))


def _in_words(connection: Connection, context: Context, rows: Sequence[Row[Any]], cancelled: int) -> str:
    now = context.clock()
    next_cycle = last_complete_cycle(now) + CYCLE_LENGTH
    held = ", ".join(f"{row.quantity:f} {row.short}" for row in rows if row.quantity)
    plan = f"by the cycle of {next_cycle:%H:%M} UTC, in {_minutes(next_cycle - now)}, and by each one until it is sold"
    lines = [f"To be sold: {held or 'what the open entries still buy'}; planned {plan}."]
    if cancelled:
        lines.append(f"Entries that were planned and not sent were skipped: {cancelled}.")
    newest = connection.scalar(
        text("SELECT max(cycle_t) FROM cycles WHERE outcome = 'planned' AND cycle_t <= :now"), {"now": now}
    )
    if newest is None or now - newest > _OVERDUE:
        lines.append(
            f"NO CYCLE HAS BEEN PLANNED {_since(newest)}: unless Airflow runs the DAG trading_cycle again, nothing is "
            "sold. `strandline doctor` says what is wrong; sell at the venue by hand if you cannot wait."
        )
    lines.append("New entries are not stopped by this; `strandline controls halt` or `positions pause` does that.")
    return "\n".join(lines)


def _minutes(wait: timedelta) -> str:
    seconds = int(wait.total_seconds())
    return f"{seconds // 60} min {seconds % 60} s"


def _since(newest: datetime | None) -> str:
    return "YET" if newest is None else f"SINCE {newest:%Y-%m-%d %H:%M} UTC"
