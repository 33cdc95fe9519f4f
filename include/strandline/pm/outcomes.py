"""From what the rules propose to what is decided: an intent, or a hold that names all its reasons."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from strandline.model.intent import ExecutionIntent, IntentStatus
from strandline.model.side import Side
from strandline.pm import reasons as why
from strandline.pm.caps import Caps
from strandline.pm.context import RowContext
from strandline.pm.decisions import Decided
from strandline.pm.evidence import evidence_of
from strandline.pm.intents import entry_intent, exit_intent
from strandline.pm.memory import memory_of
from strandline.pm.proposals import Buy, Fired, Sell, Verdict

BLOCKED: Final = 7
HOLD: Final = 12

_UNREMARKABLE: Final = frozenset({why.FLAT, why.NO_FLAG})
"""Why flag rules do not fire most of the time."""


def exit_outcome(at: RowContext, fired: Fired[Sell], not_fired: Mapping[str, str]) -> Decided:
    """A sell calls off entries that are not claimed yet, and minds no doubtful buy; it waits for another sell."""
    called_off = tuple(
        sorted(
            intent.intent_id
            for intent in at.row.open_intents
            if intent.side is Side.BUY and intent.status is IntentStatus.PLANNED
        )
    )
    if at.open_on(Side.SELL):
        reasons = (*fired.proposal.reasons, why.WAITS_FOR_OPEN_EXIT)
        return _decided(at, fired.rule, reasons, not_fired, cancels=called_off)
    intent = exit_intent(at, fired.rule, fired.proposal)
    return _decided(at, fired.rule, intent.reasons, not_fired, intent=intent, cancels=called_off)


def entry_outcome(
    at: RowContext, not_sold: Mapping[str, str], verdict: Verdict[Buy], blocks: tuple[str, ...], caps: Caps
) -> Decided:
    """As much as the caps leave room for, which it takes; or a hold."""
    fired = verdict.fired
    grant = caps.grant(at.row, fired.proposal) if fired else None
    if grant is not None and grant.notional is None:
        blocks = (*blocks, *grant.cut_by)
    if blocks:
        wanted = f"rule {fired.rule}: {fired.proposal.notional}" if fired else None
        return _decided(at, BLOCKED, blocks, not_sold, wanted=wanted)
    not_fired = {**not_sold, str(BLOCKED): why.NOT_BLOCKED, **verdict.not_fired}
    if fired is None or grant is None or grant.notional is None:
        return _decided(at, HOLD, _noted(not_fired), not_fired)
    caps.reserve(at.row, grant.notional)
    intent = entry_intent(at, fired.rule, fired.proposal, grant.notional, grant.cut_by)
    return _decided(at, fired.rule, intent.reasons, not_fired, intent=intent)


def _decided(
    at: RowContext,
    rule: int,
    reasons: tuple[str, ...],
    not_fired: Mapping[str, str],
    *,
    intent: ExecutionIntent | None = None,
    cancels: tuple[UUID, ...] = (),
    wanted: str | None = None,
) -> Decided:
    return Decided(
        position_id=at.row.position.position_id,
        rule=rule,
        reasons=reasons,
        state=at.row.newest.state if at.row.newest else None,
        intent=intent,
        cancels=cancels,
        evidence=evidence_of(at, not_fired, wanted),
        memory=memory_of(at, keep_flags=rule == BLOCKED),
    )


def _noted(not_fired: Mapping[str, str]) -> tuple[str, ...]:
    """What became of flags that were raised and not acted on."""
    flag_rules = (not_fired[str(rule)] for rule in (6, 8, 9))
    noted = tuple(dict.fromkeys(reason for reason in flag_rules if reason not in _UNREMARKABLE))
    return noted or (why.NOTHING_TO_DO,)
