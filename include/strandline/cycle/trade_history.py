"""What has been of each row, as far as the planner counts it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from strandline.execution import Filled, ended_exits, filled_intents
from strandline.model.intent import Decision
from strandline.model.position import Position
from strandline.model.signal import EngineState
from strandline.pm.inputs import LastTrim, Past


def pasts(connection: Connection, rows: Iterable[Position], since: datetime) -> Mapping[UUID, Past]:
    """By position; `since` is the oldest bar that anything still open may have begun with."""
    filled: dict[UUID, list[Filled]] = defaultdict(list)
    for one in filled_intents(connection, since):
        filled[one.position_id].append(one)
    ended: dict[UUID, list[int]] = defaultdict(list)
    for (position_id, rule), count in ended_exits(connection).items():
        ended[position_id].extend([rule] * count)
    failed = _failed_attempts(connection)
    return {
        row.position_id: _past(row, filled[row.position_id], ended[row.position_id], failed.get(row.position_id, 0))
        for row in rows
    }


def _past(row: Position, filled: Sequence[Filled], ended: Sequence[int], failed: int) -> Past:
    trims = [one for one in filled if one.decision is Decision.TRIM and one.trade_no == row.holding.trade_no]
    return Past(
        attempts_bought=_named(filled, "attempt_id", rule=8),
        visits_bought=_named(filled, "visit", rule=9, state=EngineState.S2),
        trends_dipped=_named(filled, "trend_id", rule=9, state=EngineState.S3),
        last_trim=_last_trim(trims[-1]) if trims and row.holding.quantity else None,
        ended_exits=tuple(sorted(ended)),
        failed_attempts=failed,
    )


def _named(filled: Iterable[Filled], name: str, *, rule: int, state: EngineState | None = None) -> tuple[datetime, ...]:
    """The instants of this name in what the rule's fills rest on."""
    found = {
        datetime.fromisoformat(one.inputs[name])
        for one in filled
        if one.rule == rule and (state is None or one.state is state)
    }
    return tuple(sorted(found))


def _last_trim(trim: Filled) -> LastTrim:
    return LastTrim(bar_count=int(trim.inputs["bar_count"]), level_id=datetime.fromisoformat(trim.inputs["level_id"]))


def _failed_attempts(connection: Connection) -> Mapping[UUID, int]:
    """By row, the trades that lost since the last one that did not."""
    rows = connection.execute(
        text("""
        SELECT position_id, count(*) AS failed FROM trades t
        WHERE net_pnl < 0 AND NOT EXISTS (
          SELECT FROM trades later
          WHERE later.position_id = t.position_id AND later.trade_no > t.trade_no AND later.net_pnl >= 0)
        GROUP BY position_id
        """)
    )
    return {row.position_id: row.failed for row in rows}
