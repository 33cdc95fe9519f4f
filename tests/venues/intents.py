"""Builds the intents and position rows that the tests of executors start from."""

import tomllib
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from strandline.model.exact import Money, Price, Quantity, Ratio
from strandline.model.ids import derived_id
from strandline.model.intent import Decision, ExecutionIntent, ExitReason, Urgency
from strandline.model.position import DesiredStatus, Holding, Position, PositionKey
from strandline.model.rule import Rule
from strandline.model.signal import EngineState
from strandline.model.strategy import Execution
from strandline.model.timeframe import Timeframe
from strandline.model.venue import VenueKey
from strandline.strategy import DEFAULT_FILE

LIMITS: Final = msgspec.convert(tomllib.loads(DEFAULT_FILE.read_text())["execution"], Execution)


def buy_intent(
    venue: VenueKey, token: str, dollars: str, price: Price, now: datetime, number: int | str, /, **changes: Any
) -> ExecutionIntent:
    """Build an entry; `number` tells it apart from other intents."""
    changes = {"notional": Money(dollars), "quantity": None, **changes}
    return _intent(venue, token, Decision.ADD, price, now, number, exit_reason=None, **changes)


def sell_intent(
    venue: VenueKey,
    token: str,
    quantity: Quantity,
    decision: Decision,
    price: Price,
    now: datetime,
    number: int | str,
    /,
    **changes: Any,
) -> ExecutionIntent:
    """Build an exit of the whole row, or with `TRIM` of this quantity."""
    reason = ExitReason.STOP if decision is not Decision.TRIM else None
    changes = {"notional": None, "quantity": quantity, "exit_reason": reason, **changes}
    return _intent(venue, token, decision, price, now, number, **changes)


def position_row_of(venue: VenueKey, token: str, quantity: Quantity | None) -> Position:
    """Build a row that holds this quantity, or nothing."""
    held = quantity or Quantity(0)
    entered = datetime(2025, 1, 1, tzinfo=UTC) if held else None
    average = Price(1) if held else None
    return Position(
        key=PositionKey(venue=venue, token_contract=token, timeframe=Timeframe.H1),
        instrument_id=1,
        desired_status=DesiredStatus.OPEN,
        weight=Ratio(1),
        ready=True,
        holding=Holding(trade_no=1, quantity=held, average_entry=average, first_fill_at=entered, last_fill_at=entered),
    )


def _intent(
    venue: VenueKey, token: str, decision: Decision, price: Price, now: datetime, number: int | str, /, **changes: Any
) -> ExecutionIntent:
    fields: dict[str, Any] = {
        "intent_id": derived_id("intent", number),
        "position_id": UUID(int=1),
        "venue": venue,
        "token_contract": token,
        "timeframe": Timeframe.H1,
        "decision": decision,
        "rule": Rule.MANUAL,
        "trade_no": 1,
        "attempt_no": 1,
        "size_frac": Ratio(1),
        "urgency": Urgency.NORMAL,
        "max_slippage_bps": 50,
        "reduce_only": decision is not Decision.ADD,
        "reasons": ("test",),
        "state": EngineState.S1,
        "appetite": 0.5,
        "exit_urgency": 0.5,
        "decision_price": price,
        "source_bar": now,
        "source_revision": 1,
        "cycle": now,
        "expires_at": now + timedelta(seconds=300),
        "strategy_hash": "0" * 64,
    }
    return ExecutionIntent(**{**fields, **changes})
