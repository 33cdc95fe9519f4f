"""A suite: checks that run over one window of data."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import DateTime, bindparam, text

from strandline.model.timeframe import Timeframe
from strandline.quality.severity import Severity

FRAMES: Final = ", ".join(
    f"(CAST('{frame}' AS timeframe), interval '{frame.length.total_seconds():.0f} seconds')" for frame in Timeframe
)
"""The timeframes and their lengths, as the rows of VALUES."""

KEY: Final = ("instrument_id", "timeframe", "ts")
"""What a finding is about: these columns are in every window and in every statement of a check."""

HISTORY: Final = "history"
"""The suite of days that were loaded: no cycle waits for it, and its findings block none; the engine heeds them."""

LARGEST: Final = 1.7976931348623157e308
"""The largest finite double. Infinity is above it, and so is NaN in Postgres."""


class Expectation(NamedTuple):
    """What is expected of a column or two in every row: a core expectation of Great Expectations, by its name there.

    `where` limits it to rows that have this value in this column.
    """

    name: str
    arguments: Mapping[str, Any]
    where: tuple[str, str] | None = None


class Check(NamedTuple):
    """An expectation; or a statement that selects the faults, where Great Expectations has none of its own.

    The statement selects the key, then the faulty values. The window is written as {batch}; Great Expectations would
    misread any other brace.
    """

    name: str
    severity: Severity
    faults: Expectation | str


class Suite(NamedTuple):
    """Checks over one window, given as a query.

    What is not as expected is described by the columns `shown` besides those that the expectation is about.
    """

    name: str
    window: str
    shown: tuple[str, ...]
    checks: tuple[Check, ...]


def between(
    column: str,
    least: float | None,
    greatest: float | None,
    *,
    above: bool = False,
    where: tuple[str, str] | None = None,
) -> Expectation:
    """The column lies between these, or above the lower one; null is no fault."""
    limits = {"min_value": least, "max_value": greatest, "strict_min": above}
    return Expectation("expect_column_values_to_be_between", {"column": column, **limits}, where)


def not_null(column: str, *, where: tuple[str, str] | None = None) -> Expectation:
    """The column has a value."""
    return Expectation("expect_column_values_to_not_be_null", {"column": column}, where)


def null(column: str) -> Expectation:
    """The column has no value."""
    return Expectation("expect_column_values_to_be_null", {"column": column})


def in_set(column: str, values: tuple[Any, ...]) -> Expectation:
    """The column has one of these values; null is no fault."""
    return Expectation("expect_column_values_to_be_in_set", {"column": column, "value_set": list(values)})


def not_below(column: str, other: str) -> Expectation:
    """The column is at least the other one."""
    columns = {"column_A": column, "column_B": other, "or_equal": True}
    return Expectation("expect_column_pair_values_a_to_be_greater_than_b", columns)


def equal(column: str, other: str) -> Expectation:
    """The two columns are the same."""
    return Expectation("expect_column_pair_values_to_be_equal", {"column_A": column, "column_B": other})


def with_literals(sql: str, **values: datetime | float) -> str:
    """The statement with its parameters as literals: Great Expectations takes no parameters."""
    parameters = [
        bindparam(name, value, type_=DateTime(timezone=True) if isinstance(value, datetime) else None)
        for name, value in values.items()
    ]
    statement = text(sql).bindparams(*parameters)
    return str(statement.compile(compile_kwargs={"literal_binds": True}))
