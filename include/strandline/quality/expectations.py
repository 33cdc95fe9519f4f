"""Runs a suite with Great Expectations, which checks in SQL.

Importing this module takes seconds, so only the gate does, when it first checks.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from math import isfinite
from typing import Any, Final, NamedTuple, TypeAlias

from sqlalchemy import Engine

from strandline.quality.quiet import quiet
from strandline.quality.suite import KEY, Check, Suite
from strandline.store.connect import session_options
from strandline.store.roles import Role

with quiet():
    import great_expectations as gx
    from great_expectations.core import ExpectationSuiteValidationResult, ExpectationValidationResult
    from great_expectations.core.result_format import ResultFormat
    from great_expectations.data_context.data_context.ephemeral_data_context import EphemeralDataContext
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )
    from great_expectations.datasource.fluent.postgres_datasource import PostgresDatasource
    from great_expectations.expectations.core.unexpected_rows_expectation import UnexpectedRowsExpectation
    from great_expectations.expectations.expectation import Expectation as GreatExpectation
    from great_expectations.expectations.registry import get_expectation_impl
    from great_expectations.expectations.row_conditions import Column
    from great_expectations.validator.v1_validator import Validator

Key: TypeAlias = tuple[Any, ...]

_PLACE: Final = "place"
_WINDOW: Final = "SELECT * FROM ({sql}) AS checked"
# Great Expectations returns 200 rows of a statement at most, so all are packed into one.
_PACKED: Final = "SELECT json_agg(found) AS found FROM ({sql}) AS found HAVING count(*) > 0"


class SuiteResult(NamedTuple):
    """The findings of a suite in the order of its checks, and the statistics of Great Expectations."""

    findings: list[dict[str, Any]]
    statistics: Mapping[str, Any]


class SuiteError(Exception):
    """A check could not be run."""


def run_suite(engine: Engine, suite: Suite) -> SuiteResult:
    """Run every check of the suite over one snapshot of its window.

    At first it only asks which of them fail, which one query tells of all expectations of columns. What is not as
    expected is then asked for, of those alone: that takes some queries for each.
    """
    with _source(engine) as source:
        # It takes queries that begin with SELECT only.
        window = source.add_query_asset(suite.name, query=_WINDOW.replace("{sql}", suite.window))
        # One validator has one batch, which is one temporary table.
        validator = Validator(window.add_batch_definition_whole_table(suite.name), ResultFormat.BOOLEAN_ONLY)
        validation = _validate(validator, suite, range(len(suite.checks)))
        failed = [_place(result) for result in validation.results if not result.success]
        validator.result_format = {
            "result_format": ResultFormat.COMPLETE,
            "unexpected_index_column_names": [*KEY, *suite.shown],
        }
        results = {_place(result): result for result in _validate(validator, suite, failed).results} if failed else {}
    findings: dict[Key, dict[str, Any]] = {}
    for place, result in sorted(results.items()):
        check = suite.checks[place]
        for finding in _findings(suite, check, result):
            # Two columns of one bar may be faulty; that is one finding.
            findings.setdefault(tuple(finding[name] for name in ("check_name", *KEY)), finding)
    outcomes = [_outcome(check, results.get(place)) for place, check in enumerate(suite.checks)]
    return SuiteResult(list(findings.values()), {**validation.statistics, "checks": outcomes})


def ephemeral_context(sites: Mapping[str, Any]) -> EphemeralDataContext:
    """A context that keeps nothing and reports nothing; Data Docs go to these sites."""
    config = DataContextConfig(
        analytics_enabled=False,
        progress_bars=ProgressBarsConfig(globally=False),
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
    )
    config.data_docs_sites = dict(sites)
    return gx.get_context(mode="ephemeral", project_config=config)


@contextmanager
def _source(engine: Engine) -> Iterator[PostgresDatasource]:
    """A Great Expectations data source for our database, with connections of its own that are closed at the end.

    The connection string only satisfies its validator, which wants a user and a host and reads a $ as a variable: the
    driver gets the engine's own parameters. One connection, because the window is a temporary table.
    """
    context = ephemeral_context({})
    _, parameters = engine.dialect.create_connect_args(engine.url)
    no_host_or_user = {"host": None, "user": None}
    connect_args = {**no_host_or_user, **parameters, "options": f"{session_options(Role.APP)} -c jit=off"}
    options: dict[str, Any] = {"kwargs": {"pool_size": 1, "max_overflow": 0, "connect_args": connect_args}}
    source = context.data_sources.add_postgres(
        "postgres", connection_string="postgresql+psycopg2://user@host/database", create_temp_table=True, **options
    )
    try:
        yield source
    finally:
        source.get_execution_engine().engine.dispose()
        source.get_engine().dispose()


def _validate(validator: Validator, suite: Suite, places: Iterable[int]) -> ExpectationSuiteValidationResult:
    expectations = [_expectation(suite.checks[place], place) for place in places]
    return validator.validate_expectation_suite(gx.ExpectationSuite(suite.name, expectations=expectations))


def _expectation(check: Check, place: int) -> GreatExpectation:
    meta = {_PLACE: place}
    if isinstance(check.faults, str):
        return UnexpectedRowsExpectation(unexpected_rows_query=_PACKED.replace("{sql}", check.faults), meta=meta)
    name, arguments, where = check.faults
    condition: dict[str, Any] = {} if where is None else {"row_condition": Column(where[0]) == where[1]}
    expectation: GreatExpectation = get_expectation_impl(name)(**arguments, **condition, meta=meta)
    return expectation


def _findings(suite: Suite, check: Check, result: ExpectationValidationResult) -> Iterator[dict[str, Any]]:
    """A finding for each faulty row; columns outside of the key are its details."""
    for found in _faulty_rows(suite, check, result):
        key = {name: found.pop(name) for name in KEY}
        yield {**key, "check_name": check.name, "severity": check.severity.value, "details": found}


def _faulty_rows(suite: Suite, check: Check, result: ExpectationValidationResult) -> Sequence[dict[str, Any]]:
    """The rows that the statement selected, or that are not as expected; of several with one key the first."""
    selected, unexpected = (result.result.get(name) for name in ("details", "unexpected_index_list"))
    if isinstance(check.faults, str) and selected is not None:
        return [dict(found) for found in selected["unexpected_rows"][0]["found"]]
    if isinstance(check.faults, str) or unexpected is None:
        raise SuiteError(f"{check.name}: {_reason(result.exception_info)}")
    rows: dict[Key, list[dict[str, Any]]] = {}
    for row in unexpected:
        rows.setdefault(tuple(row[name] for name in KEY), []).append(row)
    return [_first(suite, same) for same in rows.values()]


def _first(suite: Suite, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The first row by what is shown, with the number of rows where there are several, as JSON can write it."""
    first = min(rows, key=lambda row: [row[name] for name in suite.shown if row[name] is not None])
    count = {"rows": len(rows)} if len(rows) > 1 else {}
    return {**{name: _plain(value) for name, value in first.items()}, **count}


def _plain(value: Any) -> Any:  # noqa: ANN401  whatever a column holds
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float | Decimal):
        return float(value) if isfinite(value) else str(value)
    return value


def _outcome(check: Check, failure: ExpectationValidationResult | None) -> dict[str, Any]:
    """What came out of a check, for people: nothing in it is read by the gate."""
    outcome = {"check": check.name, "severity": check.severity.value, "success": failure is None}
    if isinstance(check.faults, str):
        return outcome
    expectation, arguments, where = check.faults
    counts = {name: failure.result.get(name) for name in ("element_count", "unexpected_count")} if failure else {}
    return {**outcome, "expectation": expectation, "arguments": arguments, "where": where, **counts}


def _place(result: ExpectationValidationResult) -> int:
    """The place in the suite of the check that this is the result of."""
    configuration = result.expectation_config
    if configuration is None:
        raise SuiteError("Great Expectations gave a result of none of its expectations")
    return int(configuration.meta[_PLACE])


def _reason(exceptions: Mapping[str, Any]) -> str:
    """The message of the first exception."""
    return next(
        (
            str(message)
            for exception in (exceptions, *exceptions.values())
            if isinstance(exception, Mapping) and (message := exception.get("exception_message"))
        ),
        "no result",
    )
