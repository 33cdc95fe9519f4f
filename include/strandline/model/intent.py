"""Intents: the planner's decisions that executors turn into orders."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from strandline.model.exact import Money, Price, Quantity, Ratio
from strandline.model.ids import derived_id
from strandline.model.record import Record, require
from strandline.model.rule import Rule
from strandline.model.side import Side
from strandline.model.signal import EngineState
from strandline.model.timeframe import Timeframe
from strandline.model.venue import VenueKey


class Decision(StrEnum):
    """What an intent does. To hold is a decision too, but needs no intent."""

    ADD = "add"
    TREND_ADD = "trend_add"
    TRIM = "trim"
    TRAIL = "trail"
    DEMOTE = "demote"

    @property
    def side(self) -> Side:
        """Adds buy, everything else sells."""
        return Side.BUY if self in (Decision.ADD, Decision.TREND_ADD) else Side.SELL


class ExitReason(StrEnum):
    """Why a whole position is sold."""

    STOP = "stop"
    TRAIL = "trail"
    TIME = "time"
    TREND_FAILED = "trend_failed"
    TREND_OVER = "trend_over"
    EMERGENCY = "emergency"
    MANUAL = "manual"


class Urgency(StrEnum):
    """Whether an executor should prefer a better price, or certainty to trade."""

    NORMAL = "normal"
    HIGH = "high"


class IntentStatus(StrEnum):
    """The status of an intent; the database refuses any change that may not follow."""

    PLANNED = "planned"
    PREPARING = "preparing"
    SKIPPED = "skipped"
    READY = "ready"
    SENT = "sent"
    UNKNOWN = "unknown"
    DONE = "done"
    FAILED = "failed"

    @property
    def open(self) -> bool:
        """Whether something may still happen at the venue, so that nothing else is planned for the row on this side."""
        return self not in (IntentStatus.SKIPPED, IntentStatus.DONE, IntentStatus.FAILED)

    @property
    def unsent(self) -> bool:
        """Whether it has no order, so that nothing can have been sent."""
        return self in (IntentStatus.PLANNED, IntentStatus.PREPARING)


COUNTED_BY: Final[Mapping[Rule, tuple[str, ...]]] = {
    Rule.FIRST_BUY: ("attempt_id",),
    Rule.S2_BUY: ("state_since",),
    Rule.FIRST_DIP: ("trend_id",),
    Rule.LADDER: ("trend_id",),
    Rule.RECLAIM: ("trend_id",),
    Rule.TRIM: ("bar_count", "level_id"),
}
"""The fields by which later cycles count the fills of a rule; an intent of that rule must have them."""


class ExecutionIntent(Record, frozen=True, kw_only=True):
    """A trade to make, the same for every venue. Entries are sized in money, exits in units of the holding.

    `attempt_id`, `trend_id`, `state_since`, `bar_count` and `level_id` are those of the newest signal at the decision:
    the planner counts filled intents by them. They are None for a decision made without a signal.
    """

    intent_id: UUID
    position_id: UUID
    venue: VenueKey
    token_contract: str
    timeframe: Timeframe
    decision: Decision
    exit_reason: ExitReason | None
    rule: Rule
    trade_no: int
    attempt_no: int
    size_frac: Ratio
    notional: Money | None
    quantity: Quantity | None
    urgency: Urgency
    max_slippage_bps: int
    reduce_only: bool
    reasons: tuple[str, ...]
    state: EngineState
    appetite: float
    exit_urgency: float
    decision_price: Price
    source_bar: datetime
    source_revision: int
    attempt_id: datetime | None = None
    trend_id: datetime | None = None
    state_since: datetime | None = None
    bar_count: int | None = None
    level_id: datetime | None = None
    cycle: datetime
    expires_at: datetime
    strategy_hash: str

    def check(self) -> None:
        selling = self.decision.side is Side.SELL
        require(self.reduce_only is selling, "exits are reduce-only, entries are not")
        require((self.notional is None) is selling, "an entry has a notional, an exit has none")
        require((self.quantity is None) is not selling, "an exit has a quantity, an entry has none")
        whole = self.decision in (Decision.TRAIL, Decision.DEMOTE)
        require((self.exit_reason is not None) is whole, "demote and trail have an exit reason, nothing else has one")
        require(0 <= self.appetite <= 1 and 0 <= self.exit_urgency <= 1, "A and E lie in [0, 1]")
        require(self.size_frac <= Ratio(1), "size_frac is at most 1")
        require(self.max_slippage_bps >= 0, "max_slippage_bps is not negative")
        require(self.expires_at > self.cycle, "an intent expires after its cycle")
        missing = [name for name in COUNTED_BY.get(self.rule, ()) if getattr(self, name) is None]
        require(not missing, f"an intent of {self.rule} names its {', '.join(missing)}")

    @property
    def side(self) -> Side:
        """Buy or sell."""
        return self.decision.side


def entry_intent_id(position_id: UUID, trade_no: int, rule: Rule, source_bar: datetime) -> UUID:
    """Derive an entry's id: the same bar and rule always give the same intent."""
    return derived_id("intent", str(position_id), trade_no, rule.number, source_bar.isoformat())


def exit_intent_id(position_id: UUID, trade_no: int, rule: Rule, source_bar: datetime, attempt_no: int) -> UUID:
    """Derive an exit's id: like an entry's, but one per attempt, because exits are planned until the row is flat."""
    return derived_id("intent", str(position_id), trade_no, rule.number, source_bar.isoformat(), attempt_no)


def manual_intent_id(request_id: UUID, position_id: UUID, attempt_no: int) -> UUID:
    """Derive the id of a person's exit from the request, which may be about many rows."""
    return derived_id("intent", "request", str(request_id), str(position_id), attempt_no)
