"""A suite: checks that run over one window of data."""

from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import DateTime, bindparam, text

from strandline.model.timeframe import Timeframe
from strandline.quality.severity import Severity

FRAMES: Final = ", ".join(
    f"(CAST('{frame}' AS timeframe), interval '{frame.length.total_seconds():.0f} seconds')" for frame in Timeframe
)
"""The timeframes and their lengths, as the rows of VALUES."""


class Check(NamedTuple):
    """Selects the faults: instrument_id, timeframe and ts (null where they do not apply), then the faulty values.

    The window is written as {batch}; Great Expectations would misread any other brace.
    """

    name: str
    severity: Severity
    sql: str


class Suite(NamedTuple):
    """Checks over one window, given as a query."""

    name: str
    window: str
    checks: tuple[Check, ...]


def with_literals(sql: str, **values: datetime | float) -> str:
    """The statement with its parameters as literals: Great Expectations takes no parameters."""
    parameters = [
        bindparam(name, value, type_=DateTime(timezone=True) if isinstance(value, datetime) else None)
        for name, value in values.items()
    ]
    statement = text(sql).bindparams(*parameters)
    return str(statement.compile(compile_kwargs={"literal_binds": True}))
