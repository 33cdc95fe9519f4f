"""Strands: the audit records of decisions and outcomes, each chained to the one before it."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from msgspec import field

from strandline.model.canonical import digest
from strandline.model.exact import Money
from strandline.model.intent import ExecutionIntent
from strandline.model.plan import ExecutionPlan
from strandline.model.record import Record, require
from strandline.model.result import ExecutionResult
from strandline.model.rule import Rule
from strandline.model.signal import EngineState

GENESIS: Final = "0" * 64
"""The `previous` of the first strand of a chain."""


class StrandKind(StrEnum):
    """What a strand records."""

    DECISION = "decision"
    HOLD = "hold"
    OUTCOME = "outcome"
    RECONCILIATION = "reconciliation"
    CONTROL = "control"


class StrandDraft(Record, frozen=True, kw_only=True):
    """A strand without its place in a chain."""

    strand_id: UUID
    kind: StrandKind
    ts: datetime
    parent: UUID | None = None
    cycle: datetime | None = None
    position_id: UUID | None = None
    token_contract: str | None = None
    symbol: str | None = None
    state: EngineState | None = None
    rule: Rule | None = None
    reasons: tuple[str, ...] = ()
    rules_not_fired: Mapping[str, str] = field(default_factory=dict)
    appetite: float | None = None
    exit_urgency: float | None = None
    terms: Mapping[str, float] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    intent: ExecutionIntent | None = None
    plan: ExecutionPlan | None = None
    skip_reason: str | None = None
    result: ExecutionResult | None = None
    pnl: Money | None = None
    executed_at: datetime | None = None
    code_version: str
    strategy_hash: str

    def check(self) -> None:
        require(self.kind is not StrandKind.HOLD or self.intent is None, "a hold has no intent")


class Strand(StrandDraft, frozen=True, kw_only=True):
    """A strand, never changed. What happens later is another strand that names this one as its parent.

    A chain is a venue key's text, or `system`; `seq` counts from 1 without holes. `previous` is the hash of the strand
    before it, so that its own hash covers the whole chain up to here.
    """

    chain: str
    seq: int
    previous: str

    def check(self) -> None:
        super().check()
        require(self.seq >= 1, "strands count from 1")
        require((self.seq == 1) is (self.previous == GENESIS), "the first strand, and only it, follows genesis")

    @property
    def hash(self) -> str:
        """SHA-256 over all fields, the hash of the strand before it included."""
        return digest(self)
