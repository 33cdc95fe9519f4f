"""Writes down what a decision rests on, for strands, for people, and for what later cycles count."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TypeAlias

from strandline.model.evidence import Evidence
from strandline.pm.context import RowContext
from strandline.pm.exits import nearest_level

Named: TypeAlias = Iterator[tuple[str, object]]


def evidence_of(at: RowContext, not_fired: Mapping[str, str], wanted: str | None = None) -> Evidence:
    """`wanted` is what would have been done, had nothing stood in the way. What is not known is left out."""
    named = (*_signal(at), *_price(at), *_trade(at), *_portfolio(at), ("wanted", wanted))
    return Evidence(
        appetite=at.urges.appetite,
        exit_urgency=at.urges.exit_urgency,
        rules_not_fired=not_fired,
        terms=at.urges.terms,
        inputs={name: _text(value) for name, value in named if value is not None},
    )


def _signal(at: RowContext) -> Named:
    signal = at.row.newest
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
    yield "visit", signal.state_since
    yield "attempt_id", signal.attempt_id
    yield "trend_id", signal.trend_id
    level = nearest_level(signal)
    yield "level_id", level and level.level_id


def _price(at: RowContext) -> Named:
    if at.known_price is None:
        return
    yield "price", at.known_price.price
    yield "price_source", at.known_price.source
    yield "price_observed_at", at.known_price.observed_at
    yield "price_trusted", "yes" if at.row.price else "no"


def _trade(at: RowContext) -> Named:
    yield "trade_no", at.trade_no
    if not at.held:
        return
    yield "quantity", at.holding.quantity
    yield "average_entry", at.holding.average_entry
    yield "first_fill_at", at.holding.first_fill_at
    yield "highest", at.trail.highest
    yield "trail", at.trail.line
    yield "trail_armed", "yes" if at.trail.armed else "no"
    yield "exit_due", at.exit_due and at.exit_due.reason
    yield "exit_due_bar", at.exit_due and at.exit_due.bar


def _portfolio(at: RowContext) -> Named:
    yield "equity", at.equity
    yield "allocation", at.allocation
    yield "remaining", at.remaining
    yield "neutral_terms", " ".join(at.urges.neutral)


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
