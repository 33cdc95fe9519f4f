"""The outcome of one check."""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """A warning is something to know, a skip something that does not apply here; only a failure fails the doctor."""

    OK = "ok"
    WARNING = "warn"
    SKIPPED = "-"
    FAILED = "FAIL"


@dataclass(frozen=True)
class Check:
    """One line: what was looked at, how it is, and what to do."""

    name: str
    outcome: Outcome
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        found = f"{self.found}; {self.remedy}" if self.remedy else self.found
        return f"{self.outcome:<4}  {self.name:<12}  {' '.join(found.split())}"


def fine(name: str, found: str) -> Check:
    """Nothing to do."""
    return Check(name, Outcome.OK, found)


def warned(name: str, found: str, remedy: str) -> Check:
    """It works, but somebody should know."""
    return Check(name, Outcome.WARNING, found, remedy)


def skipped(name: str, why: str) -> Check:
    """Not looked at."""
    return Check(name, Outcome.SKIPPED, why)


def failed(name: str, found: str, remedy: str) -> Check:
    """It does not work until somebody does this."""
    return Check(name, Outcome.FAILED, found, remedy)
