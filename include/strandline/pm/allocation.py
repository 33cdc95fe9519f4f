"""How much of equity each row may take: its share of what its token may take."""

from collections.abc import Mapping
from typing import TypeAlias
from uuid import UUID

from strandline.model.exact import Money, Ratio
from strandline.model.strategy import Strategy
from strandline.pm.inputs import CycleInputs, Row
from strandline.pm.rounding import percent, share

Token: TypeAlias = tuple[str, str]
_NONE = Money(0)


def token_of(row: Row) -> Token:
    """The rows of one token share its allocation and its cap."""
    return str(row.position.key.venue), row.position.key.token_contract


def allocations(inputs: CycleInputs, strategy: Strategy) -> Mapping[UUID, Money]:
    """By position; the weights of a token's rows are normalised, so that they never add up to more than its cap."""
    weights: dict[Token, Ratio] = {}
    for row in inputs.rows:
        weights[token_of(row)] = weights.get(token_of(row), Ratio(0)) + row.position.weight
    if inputs.equity is None or inputs.equity <= _NONE:
        return {row.position.position_id: _NONE for row in inputs.rows}
    per_token = inputs.equity * percent(strategy.allocation.max_position_pct)
    return {
        row.position.position_id: _share(per_token, row.position.weight, weights[token_of(row)]) for row in inputs.rows
    }


def remaining(row: Row, allocation: Money) -> Money:
    """What the row may still add, at cost: nothing when it holds its allocation already."""
    return max(_NONE, allocation - cost(row) - reserved(row))


def cost(row: Row) -> Money:
    """What the row's open quantity was bought for."""
    holding = row.position.holding
    return _NONE if holding.average_entry is None else holding.average_entry * holding.quantity


def reserved(row: Row) -> Money:
    """What the row's open entries may still cost."""
    total = _NONE
    for intent in row.open_intents:
        total = total + (intent.notional or _NONE)
    return total


def _share(per_token: Money, weight: Ratio, weights: Ratio) -> Money:
    return share(per_token, weight, weights) if weights else _NONE
