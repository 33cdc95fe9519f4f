"""What a plan consists of: one decision per row, holds too."""

from datetime import datetime
from uuid import UUID

from strandline.model.canonical import digest
from strandline.model.evidence import Evidence
from strandline.model.intent import ExecutionIntent
from strandline.model.record import Record, require
from strandline.model.signal import EngineState
from strandline.pm.inputs import Memory


class Decided(Record, frozen=True, kw_only=True):
    """What one row does: an intent, or nothing (a hold).

    `cancels` are entries of the row that are still planned and must not be claimed any more. `memory` replaces the
    row's; None when the engine has not said anything yet.
    """

    position_id: UUID
    rule: int
    reasons: tuple[str, ...]
    state: EngineState | None
    intent: ExecutionIntent | None
    cancels: tuple[UUID, ...]
    evidence: Evidence
    memory: Memory | None

    def check(self) -> None:
        require(bool(self.reasons), "a decision has a reason")
        require(
            self.intent is None or (self.intent.position_id, self.intent.rule) == (self.position_id, self.rule),
            "the intent belongs to another decision",
        )


class Plan(Record, frozen=True, kw_only=True):
    """The decisions of a cycle, by position."""

    cycle: datetime
    strategy_hash: str
    decisions: tuple[Decided, ...]

    @property
    def intents(self) -> tuple[ExecutionIntent, ...]:
        """What is to become orders."""
        return tuple(decided.intent for decided in self.decisions if decided.intent is not None)

    @property
    def digest(self) -> str:
        """Over all decisions with all that they rest on, holds too."""
        return digest(self)
