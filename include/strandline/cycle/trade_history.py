"""Reads the earlier intents and trades of each row, as far as the planner counts them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from strandline.execution import FilledIntent, ended_exits, filled_intents
from strandline.model.position import Position
from strandline.model.rule import Rule
from strandline.model.side import Side
from strandline.model.timeframe import Timeframe
from strandline.pm.inputs import LastLoss, LastTrim, Rung, TradeHistory


def trade_histories(connection: Connection, rows: Iterable[Position], since: datetime) -> Mapping[UUID, TradeHistory]:
    """By position. `since` is the oldest bar that an open attempt, visit, trend or trade began with."""
    filled: dict[UUID, list[FilledIntent]] = defaultdict(list)
    for intent in filled_intents(connection, since):
        filled[intent.position_id].append(intent)
    ended: dict[UUID, list[Rule]] = defaultdict(list)
    for (position_id, rule), count in ended_exits(connection).items():
        ended[position_id].extend([rule] * count)
    failed, losses = _failed_attempts(connection), _last_losses(connection)
    return {
        row.position_id: history_of(
            row,
            filled[row.position_id],
            ended[row.position_id],
            failed.get(row.position_id, 0),
            losses.get(row.position_id),
        )
        for row in rows
    }


def history_of(
    row: Position, filled: Sequence[FilledIntent], ended: Sequence[Rule], failed: int, last_loss: LastLoss | None
) -> TradeHistory:
    trade_no = row.holding.trade_no if row.holding.quantity else None
    return TradeHistory(
        attempts_bought=_instants(intent.attempt_id for intent in filled if intent.rule is Rule.FIRST_BUY),
        s2_visits_bought=_instants(intent.state_since for intent in filled if intent.rule is Rule.S2_BUY),
        trends_dipped=_instants(intent.trend_id for intent in filled if intent.rule is Rule.FIRST_DIP),
        ladder=tuple(_rungs(filled)),
        trends_fled=_instants(intent.trend_id for intent in filled if intent.rule is Rule.EMERGENCY_EXIT),
        trends_reclaimed=_instants(intent.trend_id for intent in filled if intent.rule is Rule.RECLAIM),
        last_trim=_last_trim(intent for intent in filled if intent.trade_no == trade_no),
        last_buy_bar=_last_buy_bar(intent for intent in filled if intent.trade_no == trade_no),
        ended_exits=tuple(sorted(ended)),
        failed_attempts=failed,
        last_loss=last_loss,
    )


def _instants(found: Iterable[datetime | None]) -> tuple[datetime, ...]:
    return tuple(sorted({instant for instant in found if instant is not None}))


def _rungs(filled: Iterable[FilledIntent]) -> Iterator[Rung]:
    """The database refuses a rung without its trend."""
    for intent in filled:
        if intent.rule is Rule.LADDER and intent.trend_id is not None:
            yield Rung(trend_id=intent.trend_id, price=intent.average_price)


def _last_trim(filled: Iterable[FilledIntent]) -> LastTrim | None:
    """The database refuses a trim without its bar's count and its level."""
    last = None
    for intent in filled:
        if intent.rule is Rule.TRIM and intent.bar_count is not None and intent.level_id is not None:
            last = LastTrim(bar_count=intent.bar_count, level_id=intent.level_id)
    return last


def _last_buy_bar(filled: Iterable[FilledIntent]) -> int | None:
    return max((intent.bar_count for intent in filled if intent.side is Side.BUY and intent.bar_count), default=None)


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


def _last_losses(connection: Connection) -> Mapping[UUID, LastLoss]:
    """By row, its newest closed trade if that lost, with the trend that its series was in when it was closed."""
    rows = connection.execute(
        text("""
        SELECT t.position_id, t.trade_no, CAST(at_close.signal->>'trend_id' AS timestamptz) AS trend_id
        FROM (SELECT DISTINCT ON (position_id) * FROM trades ORDER BY position_id, trade_no DESC) AS t
        JOIN positions p USING (position_id) JOIN instruments i USING (token_chain, book_id, token_contract)
        JOIN unnest(CAST(:timeframes AS timeframe[]), CAST(:lengths AS interval[])) AS l (timeframe, length)
          ON l.timeframe = p.timeframe
        LEFT JOIN engine_states e ON e.instrument_id = i.instrument_id AND e.timeframe = p.timeframe AND e.adopted
        LEFT JOIN LATERAL (
          SELECT uptrend_engine_v4 AS signal FROM features f
          WHERE f.instrument_id = i.instrument_id AND f.timeframe = p.timeframe AND f.generation = e.generation
            AND f.ts <= t.closed_at - l.length
          ORDER BY f.ts DESC, f.restep DESC LIMIT 1
        ) AS at_close ON true
        WHERE t.net_pnl < 0
        """),
        {
            "timeframes": [timeframe.value for timeframe in Timeframe],
            "lengths": [timeframe.length for timeframe in Timeframe],
        },
    )
    return {row.position_id: LastLoss(trade_no=row.trade_no, trend_id=row.trend_id) for row in rows}
