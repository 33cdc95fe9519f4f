"""What a rule proposes. A rule that does not fire says why instead."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from strandline.model.exact import Money, Quantity, Ratio
from strandline.model.intent import Decision, ExitReason
from strandline.pm.context import RowContext


@dataclass(frozen=True)
class Sell:
    """A part, or with an exit reason the whole."""

    decision: Decision
    exit_reason: ExitReason | None
    quantity: Quantity
    size_frac: Ratio
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Buy:
    """What the row itself would spend, before caps; less than `least` is not worth an order."""

    decision: Decision
    notional: Money
    least: Money
    size_frac: Ratio
    reasons: tuple[str, ...]


SellRule: TypeAlias = Callable[[RowContext], Sell | str]
BuyRule: TypeAlias = Callable[[RowContext], Buy | str]

P = TypeVar("P", Sell, Buy)


@dataclass(frozen=True)
class Fired(Generic[P]):
    """A rule, and what it proposes."""

    rule: int
    proposal: P


@dataclass(frozen=True)
class Verdict(Generic[P]):
    """The first rule that fires, if any, and why those before it did not."""

    fired: Fired[P] | None
    not_fired: Mapping[str, str]


def judge(rules: Iterable[tuple[int, Callable[[RowContext], P | str]]], at: RowContext) -> Verdict[P]:
    """Ask the rules in order."""
    not_fired: dict[str, str] = {}
    for rule, ask in rules:
        answer = ask(at)
        if not isinstance(answer, str):
            return Verdict(Fired(rule, answer), not_fired)
        not_fired[str(rule)] = answer
    return Verdict(None, not_fired)
