"""A valid row and a valid cycle, so that a test names only the values that it is about."""

from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from strandline.model.exact import Money, Price, Quantity, Ratio
from strandline.model.instrument import Instrument
from strandline.model.intent import ExecutionIntent, ExitReason, IntentStatus
from strandline.model.mark import Mark
from strandline.model.position import DesiredStatus, Holding, Position, PositionKey
from strandline.model.record import Record
from strandline.model.side import Side
from strandline.model.signal import EngineState, Flag, Level, Signal
from strandline.model.strategy import Strategy
from strandline.model.timeframe import Timeframe
from strandline.model.venue import VenueKey
from strandline.pm import plan
from strandline.pm.decisions import Plan, RowDecision
from strandline.pm.inputs import CycleInputs, OpenIntent, PlannerState, RowInputs
from strandline.settings import Settings
from strandline.strategy import load_strategy
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS

STRATEGY: Strategy = load_strategy(Settings())
T = datetime(2026, 1, 5, 12, tzinfo=UTC)
BAR = T - timedelta(minutes=15)
OLD_LEVEL, NEW_LEVEL = T - timedelta(days=9), T - timedelta(days=3)
LEVELS = (
    Level(level_id=OLD_LEVEL, price=90.0, touches=3, strength=0.5),
    Level(level_id=NEW_LEVEL, price=101.0, touches=3, strength=0.5),
)

R = TypeVar("R", bound=Record)


def signal(*flags: Flag, **special: Any) -> Signal:
    """A signal of the newest 15m bar: close 100, ATR 4, E144 110, E333 95."""
    fields: dict[str, Any] = {
        "instrument_id": 1,
        "timeframe": Timeframe.M15,
        "bar_ts": BAR,
        "bar_revision": 0,
        "generation": 1,
        "bar_count": 1000,
        "state": EngineState.S1,
        "state_since": T - timedelta(hours=5),
        "flags": flags,
        "exit_reason": None,
        "ended_by": None,
        "attempt_id": T - timedelta(hours=5),
        "trend_id": None,
        "indicators": {"close": 100.0, "atr": 4.0, "ema144": 110.0, "ema333": 95.0},
        "scores": {},
        "terms": {},
        "unknown_terms": (),
        "levels": LEVELS,
        "engine_version": "4",
        "input_hash": "a" * 64,
    }
    return Signal(**(fields | special))


def mark(price: str | int, age: timedelta = timedelta(0), source: str = "bar 1m") -> Mark:
    """A price that was observed this long before T."""
    return Mark(price=Price(price), source=source, observed_at=T - age)


def held(quantity: str | int = 10, entry: str | int = 100, **special: Any) -> Holding:
    """An open holding, bought an hour ago; trade 3."""
    fields: dict[str, Any] = {
        "trade_no": 3,
        "quantity": Quantity(quantity),
        "average_entry": Price(entry),
        "invested": Price(entry) * Quantity(quantity),
        "first_fill_at": T - timedelta(hours=1),
        "last_fill_at": T - timedelta(hours=1),
    }
    fields |= special
    realised = fields["average_entry"] * fields["quantity"] - fields["invested"] + fields.get("extracted", Money(0))
    fields.setdefault("realised_pnl", realised)
    return Holding(**fields)


def closed(**special: Any) -> Holding:
    """Trade 3 after everything was sold at the price that was paid."""
    return changed(held(), **({"quantity": Quantity(0), "average_entry": None, "extracted": Money(1000)} | special))


def planner_state(**special: Any) -> PlannerState:
    """A planner state of trade 3 whose cursor is the bar before the newest."""
    fields: dict[str, Any] = {"generation": 1, "bar_ts": BAR - timedelta(minutes=15), "bar_revision": 0, "trade_no": 3}
    return PlannerState(**(fields | special))


def row(
    *flags: Flag,
    holding: Holding | None = None,
    price: str | int | None = 100,
    token: str = "BTC",
    timeframe: Timeframe = Timeframe.M15,
    venue: VenueKey = HYPERLIQUID_PERPS,
    desired_status: DesiredStatus = DesiredStatus.OPEN,
    weight: str = "1",
    ready: bool = True,
    lot: str = "0.001",
    min_notional: str = "10",
    **special: Any,
) -> RowInputs:
    """A flat row that is ready, the only one of its token, with P = 100 and one unread signal with these flags."""
    newest = signal(*flags)
    fields: dict[str, Any] = {
        "position": Position(
            key=PositionKey(venue=venue, token_contract=token, timeframe=timeframe),
            instrument_id=1,
            desired_status=desired_status,
            weight=Ratio(weight),
            ready=ready,
            holding=holding or Holding(),
        ),
        "instrument": Instrument(
            instrument_id=1,
            venue=venue,
            token_contract=token,
            symbol=token,
            lot=Quantity(lot),
            min_notional=Money(min_notional),
        ),
        "price": None if price is None else mark(price),
        "mark": mark(100, source="mark"),
        "newest": newest,
        "signals": (newest,),
        "planner_state": planner_state(trade_no=holding.trade_no if holding else 0),
    }
    if "signals" in special and "newest" not in special:
        special["newest"] = special["signals"][-1]
    return RowInputs(**(fields | special))


def cycle(*rows: RowInputs, **special: Any) -> CycleInputs:
    """A cycle with equity and cash of 100,000, all of it on Hyperliquid, and without a loss."""
    equity = special.get("equity", Money(100_000))
    fields: dict[str, Any] = {
        "cycle": T,
        "rows": rows,
        "equity": equity,
        "day_start": equity,
        "peak": equity,
        "losing_streak": 0,
        "free_cash": {str(HYPERLIQUID_PERPS): Money(100_000)},
    }
    return CycleInputs(**(fields | special))


def decide(one: RowInputs, *others: RowInputs, **special: Any) -> RowDecision:
    """Plan a cycle of these rows and return the decision about the first."""
    decisions = plan(cycle(one, *others, **special), STRATEGY).decisions
    return next(decision for decision in decisions if decision.position_id == one.position.position_id)


def intents(planned: Plan) -> tuple[ExecutionIntent, ...]:
    """The intents of a plan."""
    return tuple(decision.intent for decision in planned.decisions if decision.intent is not None)


def open_intent(
    side: Side,
    status: IntentStatus,
    notional: str = "1000",
    number: int = 1,
    planned: datetime = T - timedelta(minutes=5),
) -> OpenIntent:
    """An intent of an earlier cycle."""
    return OpenIntent(
        intent_id=UUID(int=number),
        side=side,
        status=status,
        cycle=planned,
        notional=Money(notional) if side is Side.BUY else None,
    )


def exit_signal(reason: ExitReason, **special: Any) -> Signal:
    """A signal whose bar ended the trend."""
    return signal(Flag.EXIT_POSITION, **({"exit_reason": reason.value, "state": EngineState.S0} | special))


def changed(record: R, **fields: Any) -> R:
    """A copy of the record with other values, checked again."""
    return type(record)(**{name: getattr(record, name) for name in record.__struct_fields__} | fields)


def strategy_with(section: str, **numbers: Any) -> Strategy:
    """The default strategy with other numbers in one section."""
    return msgspec.structs.replace(
        STRATEGY, **{section: msgspec.structs.replace(getattr(STRATEGY, section), **numbers)}
    )
