"""Strands of breakers that trip."""

from datetime import datetime
from typing import Final

from strandline.ledger.equity import Equity
from strandline.model.breaker import Breaker
from strandline.model.ids import derived_id
from strandline.model.strand import StrandDraft, StrandKind
from strandline.pm.decisions import Plan

_ENDS: Final = {True: "with the UTC day", False: "when a person resets it"}


def breaker_drafts(plan: Plan, equity: Equity, now: datetime, code_version: str) -> list[StrandDraft]:
    """A strand for each breaker that was not tripped before this plan, with what it compared."""
    return [
        _draft(breaker, plan, equity, now, code_version) for breaker in plan.breakers if breaker not in equity.breakers
    ]


def _draft(breaker: Breaker, plan: Plan, equity: Equity, now: datetime, code_version: str) -> StrandDraft:
    return StrandDraft(
        strand_id=derived_id("breaker", breaker.value, plan.cycle.isoformat(), plan.digest),
        kind=StrandKind.CONTROL,
        ts=now,
        cycle=plan.cycle,
        reasons=("breaker_tripped", breaker.value),
        inputs={
            "equity": str(equity.equity),
            "day_start": str(equity.day_start),
            "peak": str(equity.peak),
            "losing_streak": str(equity.losing_streak),
            "ends": _ENDS[breaker.ends_with_the_day],
        },
        code_version=code_version,
        strategy_hash=plan.strategy_hash,
    )
