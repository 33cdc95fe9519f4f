"""Decides for a row by the results of its rules: an intent, or a hold with all its reasons."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from strandline.model.control import Halt
from strandline.model.exact import Money
from strandline.model.intent import ExecutionIntent, IntentStatus
from strandline.model.rule import Rule
from strandline.model.side import Side
from strandline.pm import reasons as why
from strandline.pm.caps import Caps
from strandline.pm.context import RowContext
from strandline.pm.decisions import RowDecision
from strandline.pm.entries import BUY_RULES
from strandline.pm.evidence import evidence_of
from strandline.pm.inputs import PlannerState
from strandline.pm.intents import entry_intent, exit_intent
from strandline.pm.planner_state import next_state
from strandline.pm.rule_result import Results, fired, no_order, not_fired
from strandline.pm.sizes import min_entry

_ROUTINE: Final = frozenset({why.FLAT, why.NO_FLAG})
"""Why flag rules do not fire most of the time; a hold does not name these."""

_FLAG_RULES: Final = (Rule.TRIM, *BUY_RULES)


def decide_exit(ctx: RowContext, rule: Rule, results: Results) -> RowDecision:
    """Sell by the rule that fired. An exit cancels entries that are not claimed yet, and waits for an open sell."""
    cancels = tuple(
        sorted(
            intent.intent_id
            for intent in ctx.row.open_intents
            if intent.side is Side.BUY and intent.status is IntentStatus.PLANNED
        )
    )
    result, not_decided = results[rule], not_fired(rule, results)
    state = next_state(ctx, keep_flags=False, fired=result.exit_reason)
    if ctx.open_on(Side.SELL):
        reasons = (*result.reasons, why.WAITS_FOR_OPEN_EXIT)
        return _decision(ctx, rule, reasons, not_decided, state, cancels=cancels)
    intent = exit_intent(ctx, rule, result)
    return _decision(ctx, rule, intent.reasons, not_decided, state, intent=intent, cancels=cancels)


def hold_exit(ctx: RowContext, rule: Rule, results: Results) -> RowDecision:
    """Hold although the rule would sell, because a person stopped every order. The exit stays due."""
    result = results[rule]
    state = next_state(ctx, keep_flags=True, fired=result.exit_reason)
    shown = f"{rule.label}: {result.quantity}"
    return _decision(ctx, Rule.BLOCKED, (Halt.ALL.value,), not_fired(Rule.BLOCKED, results), state, wanted=shown)


def decide_entry(
    ctx: RowContext, sell_results: Results, buy_results: Results, blocks: tuple[str, ...], caps: Caps
) -> RowDecision:
    """Buy as much as the caps leave room for, and reserve it; or hold."""
    rule = fired(buy_results)
    if ctx.latched and rule is not Rule.RECLAIM:
        blocks = (why.LOSS_LATCH, *blocks)
    wanted = (buy_results[rule].notional if rule else None) or Money(0)
    notional, cut_by = caps.room_for(ctx.row, wanted, min_entry(ctx)) if rule else (Money(0), ())
    if rule and not notional:
        blocks = (*blocks, *cut_by)
    if blocks:
        shown = f"{rule.label}: {wanted}" if rule else None
        state = next_state(ctx, keep_flags=True)
        not_decided = not_fired(Rule.BLOCKED, {**sell_results, **buy_results})
        return _decision(ctx, Rule.BLOCKED, blocks, not_decided, state, wanted=shown)
    reasons = not_fired(rule or Rule.HOLD, {**sell_results, Rule.BLOCKED: no_order(why.NOT_BLOCKED), **buy_results})
    state = next_state(ctx, keep_flags=False)
    if rule is None:
        return _decision(ctx, Rule.HOLD, _flags_not_used(reasons), reasons, state)
    caps.reserve(ctx.row, notional)
    intent = entry_intent(ctx, rule, buy_results[rule], notional, cut_by)
    return _decision(ctx, rule, intent.reasons, reasons, state, intent=intent)


def _decision(
    ctx: RowContext,
    rule: Rule,
    reasons: tuple[str, ...],
    rules_not_fired: Mapping[str, str],
    state: PlannerState | None,
    *,
    intent: ExecutionIntent | None = None,
    cancels: tuple[UUID, ...] = (),
    wanted: str | None = None,
) -> RowDecision:
    return RowDecision(
        position_id=ctx.row.position.position_id,
        rule=rule,
        reasons=reasons,
        state=ctx.row.newest.state if ctx.row.newest else None,
        intent=intent,
        cancels=cancels,
        evidence=evidence_of(ctx, rules_not_fired, wanted),
        planner_state=state,
    )


def _flags_not_used(rules_not_fired: Mapping[str, str]) -> tuple[str, ...]:
    """Why flags that were raised led to nothing."""
    found = (rules_not_fired[rule] for rule in _FLAG_RULES)
    return tuple(dict.fromkeys(reason for reason in found if reason not in _ROUTINE)) or (why.NOTHING_TO_DO,)
