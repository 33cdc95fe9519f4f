"""The plan of a cycle: one decision per row, holds included."""

from datetime import datetime
from uuid import UUID

from strandline.model.breaker import Breaker
from strandline.model.canonical import digest
from strandline.model.evidence import Evidence
from strandline.model.intent import ExecutionIntent
from strandline.model.record import Record, require
from strandline.model.rule import Rule
from strandline.model.signal import EngineState
from strandline.pm.inputs import PlannerState


class RowDecision(Record, frozen=True, kw_only=True):
    """What one row does: an intent, or nothing (a hold).

    `cancels` are entries of the row that are still planned and must not be claimed any more. `planner_state` replaces
    the row's; None when the row has no signal yet.
    """

    position_id: UUID
    rule: Rule
    reasons: tuple[str, ...]
    state: EngineState | None
    intent: ExecutionIntent | None
    cancels: tuple[UUID, ...]
    evidence: Evidence
    planner_state: PlannerState | None

    def check(self) -> None:
        require(bool(self.reasons), "a decision has a reason")
        require(
            self.intent is None or (self.intent.position_id, self.intent.rule) == (self.position_id, self.rule),
            "the intent belongs to another decision",
        )


class Plan(Record, frozen=True, kw_only=True):
    """The decisions of a cycle, by position, and the breakers that are tripped in it."""

    cycle: datetime
    strategy_hash: str
    breakers: tuple[Breaker, ...]
    decisions: tuple[RowDecision, ...]

    @property
    def digest(self) -> str:
        """SHA-256 over all decisions with their evidence, holds included."""
        return digest(self)
