"""What is away is waited for, and said once."""

import psycopg2
import pytest
from sqlalchemy.exc import InterfaceError, OperationalError, ProgrammingError

from strandline.cli.up.waiting import retry_while_away


@pytest.mark.parametrize(
    "away",
    [
        ConnectionRefusedError("refused"),
        TimeoutError(),
        psycopg2.OperationalError("server closed the connection\nunexpectedly"),
        OperationalError("SELECT 1", {}, Exception("in recovery mode")),
        InterfaceError("SELECT 1", {}, Exception("connection already closed")),
    ],
)
def test_it_goes_on_when_the_thing_is_back(away: Exception) -> None:
    pauses: list[float] = []
    reports: list[str] = []

    def read() -> int:
        if len(pauses) < 3:
            raise away
        return 42

    assert retry_while_away("our books", read, pause=pauses.append, report=reports.append) == 42
    assert len(pauses) == 3
    assert len(reports) == 2
    assert reports[0].startswith("our books: waiting, ")
    assert "\n" not in reports[0]
    assert reports[1] == "our books: going on"


@pytest.mark.parametrize("fault", [KeyError("x"), ProgrammingError("SELECT x", {}, Exception("no column x"))])
def test_a_fault_of_ours_is_not_waited_for(fault: Exception) -> None:
    def read() -> int:
        raise fault

    with pytest.raises(type(fault)):
        retry_while_away("our books", read, pause=lambda _: None, report=print)
