"""Adds rows, and changes what a person may change of them."""

from collections.abc import Iterable

from sqlalchemy import Connection, text

from strandline.controls.listings import look_up
from strandline.controls.names import NamedRow, find_row
from strandline.controls.orders import Done, Signed, Subject, give
from strandline.cycle.context import Context
from strandline.cycle.snapshot import in_planner_snapshot
from strandline.execution import cancel
from strandline.model.control import Control
from strandline.model.errors import StrandlineError
from strandline.model.exact import Ratio
from strandline.model.position import DesiredStatus, PositionKey
from strandline.model.timeframe import Timeframe
from strandline.model.venue import VenueKey
from strandline.venues.registry import find_venue


def insert_positions(connection: Connection, rows: Iterable[tuple[PositionKey, Ratio]]) -> int:
    """Insert each row with its weight, and count the new ones; one that exists keeps its weight and status."""
    return sum(
        connection.execute(
            text("""
            INSERT INTO positions (position_id, token_chain, book_id, token_contract, timeframe, weight)
            VALUES (:position_id, :chain, :book, :token, :timeframe, :weight) ON CONFLICT DO NOTHING
            """),
            {
                "position_id": key.position_id,
                "chain": key.venue.token_chain,
                "book": key.venue.book_id,
                "token": key.token_contract,
                "timeframe": key.timeframe,
                "weight": weight.decimal,
            },
        ).rowcount
        for key, weight in rows
    )


def add_position(
    context: Context, venue: VenueKey, token: str, timeframe: Timeframe, weight: Ratio | None, signed: Signed
) -> Done:
    """Add a row. Where the venue answers, its list must have the token, whose name is taken from there."""
    if find_venue(venue) is None:
        raise StrandlineError(f"there is no venue {venue}", "see the venues in docs/configuration.md")
    found = look_up(context, venue, token)
    key = PositionKey(venue=venue, token_contract=found.token_contract, timeframe=timeframe)
    default = Ratio.from_float(context.strategy.allocation.weights[timeframe])
    weight = default if weight is None else weight
    with context.database.begin() as connection:
        if not insert_positions(connection, [(key, weight)]):
            row = find_row(connection, str(key.position_id))
            raise StrandlineError(
                f"{key} exists already, with weight {row.weight} and status {row.desired_status}",
                "change it with `strandline positions weight`, `pause` or `resume`; nothing was done",
            )
        about = Subject(key.position_id, key.token_contract, weight=weight)
        give(connection, context, Control.ADD_POSITION, signed, about, facts={"row": str(key)})
    lines = [f"{key} is added with weight {weight}. The sidecar streams it within 30 seconds.", _first_buy(context)]
    if found.problem:
        lines.append(f"{found.problem}: if it does not, no data come.")
    if venue not in context.venues:
        lines.append(f"{venue} is switched off: no data come, and nothing is traded.")
    return Done(True, "\n".join(lines))


def pause_position(context: Context, name: str, signed: Signed) -> Done:
    """Let the row only sell; an entry that is planned and not claimed is skipped."""

    def pause(connection: Connection) -> Done:
        row = find_row(connection, name)
        if row.desired_status is DesiredStatus.PAUSED:
            return Done(False, f"Nothing changed: {row} is paused already.")
        if row.desired_status is DesiredStatus.ARCHIVED:
            raise StrandlineError(
                f"{row} is archived, so it does not trade", "`strandline positions resume` reopens it"
            )
        _set_status(connection, row, DesiredStatus.PAUSED)
        planned = connection.scalars(
            text("SELECT intent_id FROM intents WHERE position_id = :id AND side = 'buy' AND status = 'planned'"),
            {"id": row.position_id},
        ).all()
        skipped = cancel(connection, planned, "paused", now=context.clock(), code_version=context.code_version)
        give(connection, context, Control.PAUSE_POSITION, signed, _about(row), facts={"row": str(row)})
        also = " Its entry that was planned and not sent is skipped." if skipped else ""
        return Done(True, f"{row} is paused: it sells by its rules, and buys nothing.{also}")

    return in_planner_snapshot(context.database, pause)


def resume_position(context: Context, name: str, signed: Signed) -> Done:
    """Let the row trade again, paused or archived before."""

    def resume(connection: Connection) -> Done:
        row = find_row(connection, name)
        if row.desired_status is DesiredStatus.OPEN:
            return Done(False, f"Nothing changed: {row} is neither paused nor archived.")
        _set_status(connection, row, DesiredStatus.OPEN)
        facts = {"row": str(row), "was": row.desired_status.value}
        give(connection, context, Control.RESUME_POSITION, signed, _about(row), facts=facts)
        return Done(True, f"{row} trades again; it was {row.desired_status}.")

    return in_planner_snapshot(context.database, resume)


def archive_position(context: Context, name: str, signed: Signed) -> Done:
    """Take the row out of trading and streaming. Only a flat one, of which nothing is open at the venue."""

    def archive(connection: Connection) -> Done:
        row = find_row(connection, name)
        if row.desired_status is DesiredStatus.ARCHIVED:
            return Done(False, f"Nothing changed: {row} is archived already.")
        if left := _left(connection, row):
            raise StrandlineError(
                f"{row} cannot be archived: {', '.join(left)}",
                "sell it with `strandline controls force-exit`, or pause it and wait until it is flat",
            )
        _set_status(connection, row, DesiredStatus.ARCHIVED)
        give(connection, context, Control.ARCHIVE_POSITION, signed, _about(row), facts={"row": str(row)})
        return Done(True, f"{row} is archived: no data, no trades. `strandline positions resume` reopens it.")

    return in_planner_snapshot(context.database, archive)


def weigh_position(context: Context, name: str, weight: Ratio, signed: Signed) -> Done:
    """Set the row's share of its token's allocation."""

    def weigh(connection: Connection) -> Done:
        row = find_row(connection, name)
        if row.weight == weight:
            return Done(False, f"Nothing changed: the weight of {row} is {weight} already.")
        connection.execute(
            text("UPDATE positions SET weight = :weight WHERE position_id = :id"),
            {"id": row.position_id, "weight": weight.decimal},
        )
        facts = {"row": str(row), "was": str(row.weight)}
        give(connection, context, Control.WEIGH_POSITION, signed, _about(row, weight), facts=facts)
        return Done(True, f"The weight of {row} is {weight}; it was {row.weight}. The next cycle sizes by it.")

    return in_planner_snapshot(context.database, weigh)


def _first_buy(context: Context) -> str:
    return f"It may buy once it has {context.strategy.history.bars_for_flags} bars; what history there is, is loaded."


def _about(row: NamedRow, weight: Ratio | None = None) -> Subject:
    return Subject(row.position_id, row.key.token_contract, weight=weight)


def _set_status(connection: Connection, row: NamedRow, status: DesiredStatus) -> None:
    connection.execute(
        text("UPDATE positions SET desired_status = :status WHERE position_id = :id"),
        {"id": row.position_id, "status": status.value},
    )


def _left(connection: Connection, row: NamedRow) -> list[str]:
    """What keeps the row from being archived."""
    held = connection.scalar(
        text("SELECT quantity FROM holdings WHERE position_id = :id AND quantity > 0"), {"id": row.position_id}
    )
    rows = connection.execute(
        text("""
        SELECT decision, i.status, o.order_id IS NOT NULL AS doubtful
        FROM intents i LEFT JOIN unresolved_orders o USING (intent_id)
        WHERE position_id = :id AND (is_open(i.status) OR o.order_id IS NOT NULL) ORDER BY intent_id
        """),
        {"id": row.position_id},
    )
    left = [f"it holds {held:f} {row.short}"] if held else []
    return left + [f"its {one.decision} is {'in doubt at the venue' if one.doubtful else one.status}" for one in rows]
