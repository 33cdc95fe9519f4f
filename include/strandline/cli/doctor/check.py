"""The outcome of one check."""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """A warning is for information, a skipped check does not apply here; only a failure fails the doctor."""

    OK = "ok"
    WARNING = "warn"
    SKIPPED = "-"
    FAILED = "FAIL"


@dataclass(frozen=True)
class Check:
    """A line of output: what was checked, what was found, and what to do."""

    name: str
    outcome: Outcome
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        found = f"{self.found}; {self.remedy}" if self.remedy else self.found
        return f"{self.outcome:<4}  {self.name:<12}  {' '.join(found.split())}"


def fine(name: str, found: str) -> Check:
    """Make a check that passed."""
    return Check(name, Outcome.OK, found)


def warned(name: str, found: str, remedy: str) -> Check:
    """Make a check that passed with a warning."""
    return Check(name, Outcome.WARNING, found, remedy)


def skipped(name: str, why: str) -> Check:
    """Make a check that does not apply here."""
    return Check(name, Outcome.SKIPPED, why)


def failed(name: str, found: str, remedy: str) -> Check:
    """Make a check that failed, with what to do."""
    return Check(name, Outcome.FAILED, found, remedy)
