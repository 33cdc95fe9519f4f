"""Waits for what is away, as after a kill, and says so once."""

from collections.abc import Callable
from typing import Final, TypeVar

import psycopg2
from sqlalchemy.exc import InterfaceError, OperationalError

T = TypeVar("T")

_SECONDS_BETWEEN_ATTEMPTS: Final = 1.0


def retry_while_away(
    what: str, read: Callable[[], T], *, pause: Callable[[float], None], report: Callable[[str], None]
) -> T:
    """Read until nothing on the way is away; `what` is named in messages."""
    reported = False
    while True:
        try:
            value = read()
        except (OSError, OperationalError, InterfaceError, psycopg2.OperationalError) as error:
            if not reported:
                report(f"{what}: waiting, {_first_line(error)}")
            reported = True
            pause(_SECONDS_BETWEEN_ATTEMPTS)
            continue
        if reported:
            report(f"{what}: going on")
        return value


def _first_line(error: Exception) -> str:
    return (str(error) or repr(error)).splitlines()[0]
