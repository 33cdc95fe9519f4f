"""Collects the evidence of a decision, for strands and for people."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TypeAlias

from strandline.model.evidence import Evidence
from strandline.pm.context import RowContext
from strandline.pm.exits import nearest_level

Named: TypeAlias = Iterator[tuple[str, object]]


def evidence_of(ctx: RowContext, not_fired: Mapping[str, str], wanted: str | None = None) -> Evidence:
    """Collect the evidence; `wanted` is an order that a block prevented. Unknown values are left out."""
    named = (
        *_signal(ctx),
        *_price(ctx),
        *_trade(ctx),
        *_portfolio(ctx),
        *ctx.scores.market.items(),
        ("wanted", wanted),
    )
    return Evidence(
        appetite=ctx.scores.appetite,
        exit_urgency=ctx.scores.exit_urgency,
        rules_not_fired=not_fired,
        terms=ctx.scores.terms,
        inputs={name: _text(value) for name, value in named if value is not None},
    )


def _signal(ctx: RowContext) -> Named:
    signal = ctx.row.newest
    if signal is None:
        return
    yield "bar_ts", signal.bar_ts
    yield "bar_revision", signal.bar_revision
    yield "bar_count", signal.bar_count
    yield "generation", signal.generation
    yield "input_hash", signal.input_hash
    yield "engine_version", signal.engine_version
    yield "state", signal.state
    yield "flags", " ".join(signal.flags)
    yield "state_since", signal.state_since
    yield "attempt_id", signal.attempt_id
    yield "trend_id", signal.trend_id
    level = nearest_level(signal)
    yield "level_id", level and level.level_id


def _price(ctx: RowContext) -> Named:
    if ctx.last_price is None:
        return
    yield "price", ctx.last_price.price
    yield "price_source", ctx.last_price.source
    yield "price_observed_at", ctx.last_price.observed_at
    yield "price_trusted", "yes" if ctx.row.price else "no"


def _trade(ctx: RowContext) -> Named:
    yield "trade_no", ctx.row.trade_no
    yield "exit_due", ctx.exit_due and ctx.exit_due.reason
    yield "exit_due_bar", ctx.exit_due and ctx.exit_due.bar
    if not ctx.held:
        return
    yield "quantity", ctx.holding.quantity
    yield "average_entry", ctx.holding.average_entry
    yield "first_fill_at", ctx.holding.first_fill_at
    yield "highest", ctx.trail.highest
    yield "trail", ctx.trail.line
    yield "trail_armed", "yes" if ctx.trail.armed else "no"


def _portfolio(ctx: RowContext) -> Named:
    yield "equity", ctx.equity
    yield "allocation", ctx.allocation
    yield "remaining", ctx.remaining
    yield "neutral_terms", " ".join(ctx.scores.neutral)


def _text(value: object) -> str:
    return value.isoformat() if type(value) is datetime else str(value)
