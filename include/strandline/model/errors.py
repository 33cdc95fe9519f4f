"""Errors that a person reads: what is wrong, and what to do about it."""


class StrandlineError(Exception):
    """One line for the person at the terminal; `exit_code` is what the command ends with."""

    exit_code = 1

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}; {remedy}")
        self.problem = problem
        self.remedy = remedy


class ConfigurationError(StrandlineError):
    """Settings or strategy are wrong, missing or contradict each other; every fault is reported, a line each."""

    exit_code = 2

    def __init__(self, faults: list[str]) -> None:
        Exception.__init__(self, "\n".join(faults))
        self.faults = faults
