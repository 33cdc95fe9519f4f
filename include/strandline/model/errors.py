"""Errors for the person at the terminal: what is wrong, and what to do about it."""


class StrandlineError(Exception):
    """An error that the command prints in one line; `exit_code` is the command's exit code."""

    exit_code = 1

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}; {remedy}")
        self.problem = problem
        self.remedy = remedy


class ConfigurationError(StrandlineError):
    """Settings or strategy are wrong, missing or contradict each other. It reports every fault on its own line."""

    exit_code = 2

    def __init__(self, faults: list[str]) -> None:
        Exception.__init__(self, "\n".join(faults))
        self.faults = faults
