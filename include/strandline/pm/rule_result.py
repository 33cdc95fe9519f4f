"""The result of a rule for a row, and the evaluation of rules in order."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final, TypeAlias

from strandline.model.exact import Money, Quantity, Ratio
from strandline.model.intent import Decision, ExitReason
from strandline.model.rule import Rule
from strandline.pm import reasons as why
from strandline.pm.context import RowContext

_NOTHING: Final = Ratio(0)


@dataclass(frozen=True)
class RuleResult:
    """An order that the rule asks for, or only the reason why it asks for none.

    A sell has a quantity, and an exit reason if it sells everything. A buy has the notional that the row would spend
    before the caps.
    """

    reasons: tuple[str, ...]
    decision: Decision | None = None
    size_frac: Ratio = _NOTHING
    exit_reason: ExitReason | None = None
    quantity: Quantity | None = None
    notional: Money | None = None

    @property
    def fires(self) -> bool:
        """Whether the rule asks for an order."""
        return self.decision is not None


_NAMED: Final = tuple((rule, rule.value) for rule in Rule if rule is not Rule.HOLD)
"""An enum looks its members and their values up anew each time."""

RuleFunction: TypeAlias = Callable[[RowContext], RuleResult]
Results: TypeAlias = Mapping[Rule, RuleResult]


@cache
def no_order(reason: str) -> RuleResult:
    """The result of a rule that does not fire."""
    return RuleResult((reason,))


def evaluate(rules: Mapping[Rule, RuleFunction], ctx: RowContext) -> Results:
    """Evaluate the rules in order up to the first that fires."""
    results: dict[Rule, RuleResult] = {}
    for rule, function in rules.items():
        results[rule] = function(ctx)
        if results[rule].fires:
            break
    return results


def fired(results: Results) -> Rule | None:
    """The rule that fired, if any."""
    return next((rule for rule, result in results.items() if result.fires), None)


def not_fired(decided: Rule, results: Results) -> Mapping[str, str]:
    """Why each other rule did not decide, by name: all of them but rule 12, which is what is left."""
    return {name: _why_not(results.get(rule)) for rule, name in _NAMED if rule is not decided}


def _why_not(result: RuleResult | None) -> str:
    """A rule after the one that decided is not evaluated; one that fired and did not decide was blocked."""
    if result is None:
        return why.NOT_REACHED
    return why.BLOCKED if result.fires else " ".join(result.reasons)
