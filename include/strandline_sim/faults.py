"""Injects faults: from a script, at random, or added at run time. A journal records what was injected."""

import random
import tomllib
from collections.abc import Iterable
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Final, NamedTuple

import msgspec

from strandline.model.record import Record, require


class FaultKind(StrEnum):
    """The kinds of faults."""

    REFUSE = "refuse"
    DELAY = "delay"
    DROP_REQUEST = "drop_request"
    DROP_ANSWER = "drop_answer"
    ANSWER_TWICE = "answer_twice"
    STATUS = "status"
    STATUS_AFTER = "status_after"
    MALFORMED = "malformed"
    REORDER = "reorder"
    PARTIAL_FILL = "partial_fill"
    LAG = "lag"
    DISCONNECT = "disconnect"
    REPLAY = "replay"
    DOWN = "down"
    CLOCK_SKEW = "clock_skew"
    FORK = "fork"
    NODE_BEHIND = "node_behind"
    PRUNED = "pruned"


_RANDOM_KINDS: Final = {
    FaultKind.REFUSE: (0.0,),
    FaultKind.DELAY: (400.0,),
    FaultKind.DROP_REQUEST: (0.0,),
    FaultKind.DROP_ANSWER: (0.0,),
    FaultKind.STATUS: (429.0, 502.0),
    FaultKind.STATUS_AFTER: (502.0,),
    FaultKind.MALFORMED: (0.0,),
    FaultKind.PARTIAL_FILL: (0.5,),
    FaultKind.LAG: (1500.0,),
    FaultKind.DISCONNECT: (0.0,),
    FaultKind.REPLAY: (0.0,),
    FaultKind.NODE_BEHIND: (0.0,),
}
"""The kinds that can be injected at random, each with its values; the others need a script."""


class Rule(Record, frozen=True, kw_only=True):
    """A rule that selects requests and injects a fault into them.

    `route` is a pattern such as `hyperliquid/exchange/order` or `solana/*`. The first `after` matching requests pass,
    then `times` of them are hit (None: all), each with probability `chance`. `value` is milliseconds, a status or a
    fraction, depending on the kind. A `down` hits every matching request for `value` milliseconds.
    """

    route: str
    kind: FaultKind
    after: int = 0
    times: int | None = 1
    chance: float = 1.0
    value: float = 0.0

    def check(self) -> None:
        require(self.after >= 0 and (self.times is None or self.times >= 1), "after and times count requests")
        require(0 < self.chance <= 1, "chance lies in (0, 1]")


def read_script(text: str) -> list[Rule]:
    """Read rules from TOML, one `[[fault]]` each; raise ValueError with the location of a mistake."""
    try:
        return msgspec.convert(tomllib.loads(text), Script).fault
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ValueError(f"this is no fault script: {error}") from error


def random_faults(chance: float) -> list[Rule]:
    """Make rules that inject each random kind on every route with this probability."""
    return [
        Rule(route="*", kind=kind, times=None, chance=chance, value=value)
        for kind, values in _RANDOM_KINDS.items()
        for value in values
    ]


class Script(Record, frozen=True, kw_only=True):
    """A fault script."""

    fault: list[Rule]


class InjectedFault(NamedTuple):
    """A fault that was injected."""

    at: int
    route: str
    kind: FaultKind
    value: float


class Faults:
    """Decides for each request whether to inject a fault; the same seed and requests give the same faults."""

    def __init__(self, rules: Iterable[Rule] = (), seed: int = 0) -> None:
        self.journal: list[InjectedFault] = []
        self._random = random.Random(seed)  # noqa: S311  repeatable on purpose
        self._rules: list[_RuleState] = [_RuleState(rule) for rule in rules]

    def add(self, rule: Rule) -> None:
        """Add a rule after the others."""
        self._rules.append(_RuleState(rule))

    def clear(self) -> None:
        """Remove all rules; the journal stays."""
        self._rules.clear()

    def inject(self, route: str, at: int, kinds: Iterable[FaultKind] = tuple(FaultKind)) -> Rule | None:
        """Return the first rule of these kinds that hits this request, if any, and record it in the journal."""
        possible = frozenset(kinds)
        for state in self._rules:
            rule = state.rule
            if rule.kind in possible and fnmatchcase(route, rule.route) and state.hits(at, self._random):
                self.journal.append(InjectedFault(at, route, rule.kind, rule.value))
                return rule
        return None


class _RuleState:
    """A rule with the number of its matches and hits."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self._matched = 0
        self._hit = 0
        self._down_until = 0

    def hits(self, at: int, rng: random.Random) -> bool:
        if at < self._down_until:
            return True
        self._matched += 1
        if self._matched <= self.rule.after or (self.rule.times is not None and self._hit >= self.rule.times):
            return False
        if self.rule.chance < 1 and rng.random() >= self.rule.chance:
            return False
        self._hit += 1
        if self.rule.kind is FaultKind.DOWN:
            self._down_until = at + int(self.rule.value)
        return True
