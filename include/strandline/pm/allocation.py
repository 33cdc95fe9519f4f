"""How much of equity each row may take: its share of its token's cap."""

from collections.abc import Mapping
from typing import TypeAlias
from uuid import UUID

from strandline.model.exact import Money, Ratio
from strandline.model.strategy import Strategy
from strandline.pm.inputs import CycleInputs, RowInputs
from strandline.pm.rounding import percent, share

Token: TypeAlias = tuple[str, str]
_NONE = Money(0)


def token_of(row: RowInputs) -> Token:
    """Return the key of the row's token, whose rows share allocation and cap."""
    return str(row.position.key.venue), row.position.key.token_contract


def allocations(inputs: CycleInputs, strategy: Strategy) -> Mapping[UUID, Money]:
    """By position. The weights of a token's rows that may trade now are normalised: the others strand nothing."""
    weights: dict[Token, Ratio] = {}
    for row in inputs.rows:
        weights[token_of(row)] = weights.get(token_of(row), Ratio(0)) + _weight(row)
    if inputs.equity is None or inputs.equity <= _NONE:
        return {row.position.position_id: _NONE for row in inputs.rows}
    per_token = inputs.equity * percent(strategy.allocation.max_position_pct)
    return {row.position.position_id: _share(per_token, _weight(row), weights[token_of(row)]) for row in inputs.rows}


def remaining(row: RowInputs, allocation: Money) -> Money:
    """What the row may still add, with its holding at cost: nothing when it holds its allocation already."""
    return max(_NONE, allocation - row.position.holding.cost - row.reserved)


def _weight(row: RowInputs) -> Ratio:
    return row.position.weight if row.position.may_buy else Ratio(0)


def _share(per_token: Money, weight: Ratio, weights: Ratio) -> Money:
    return share(per_token, weight, weights) if weights else _NONE
