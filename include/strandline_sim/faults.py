"""Faults on command: by a script, by a seed, or ordered while it runs. A journal says what was injected."""

import random
import tomllib
from collections.abc import Iterable
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Final, NamedTuple

import msgspec

from strandline.model.record import Record, require


class FaultKind(StrEnum):
    """What can go wrong."""

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


_TYPICAL: Final = {
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
"""With values that make sense anywhere; the others need a script that means something by them."""


class Rule(Record, frozen=True, kw_only=True):
    """One fault: on which routes, which of the matching requests, and how.

    `route` is a pattern such as `hyperliquid/exchange/order` or `solana/*`. The first `after` matching requests pass,
    then `times` of them are hit (None: all), each with `chance`. `value` is milliseconds, a status, or a fraction,
    as the kind needs it. A `down` lasts `value` milliseconds, for all that matches.
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
    """Rules from TOML, a `[[fault]]` each; what is wrong is told with its place."""
    try:
        told = tomllib.loads(text)
        return msgspec.convert(told, Script).fault
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ValueError(f"this is no fault script: {error}") from error


def everywhere(chance: float) -> list[Rule]:
    """Each fault that a request can survive or not, on every route, again and again, each with this chance."""
    return [
        Rule(route="*", kind=kind, times=None, chance=chance, value=value)
        for kind, values in _TYPICAL.items()
        for value in values
    ]


class Script(Record, frozen=True, kw_only=True):
    """The form of a fault script."""

    fault: list[Rule]


class Injected(NamedTuple):
    """One line of the journal."""

    at: int
    route: str
    kind: FaultKind
    value: float


class Faults:
    """Decides for each request whether something goes wrong, always the same for the same seed and requests."""

    def __init__(self, rules: Iterable[Rule] = (), seed: int = 0) -> None:
        self.journal: list[Injected] = []
        self._random = random.Random(seed)  # noqa: S311  repeatable on purpose
        self._rules: list[_Counted] = [_Counted(rule) for rule in rules]

    def add(self, rule: Rule) -> None:
        """Order another fault; it is asked after the ones before it."""
        self._rules.append(_Counted(rule))

    def clear(self) -> None:
        """No more faults; the journal stays."""
        self._rules.clear()

    def on(self, route: str, at: int, kinds: Iterable[FaultKind] = tuple(FaultKind)) -> Rule | None:
        """The fault that hits this request, of the kinds that can happen here; it is in the journal already."""
        possible = frozenset(kinds)
        for counted in self._rules:
            rule = counted.rule
            if rule.kind in possible and fnmatchcase(route, rule.route) and counted.hits(at, self._random):
                self.journal.append(Injected(at, route, rule.kind, rule.value))
                return rule
        return None


class _Counted:
    """A rule, and how often it has matched and hit."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self._matched = 0
        self._hit = 0
        self._down_until = 0

    def hits(self, at: int, chance: random.Random) -> bool:
        if at < self._down_until:
            return True
        self._matched += 1
        if self._matched <= self.rule.after or (self.rule.times is not None and self._hit >= self.rule.times):
            return False
        if self.rule.chance < 1 and chance.random() >= self.rule.chance:
            return False
        self._hit += 1
        if self.rule.kind is FaultKind.DOWN:
            self._down_until = at + int(self.rule.value)
        return True
