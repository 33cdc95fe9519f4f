"""Runs a suite with Great Expectations, which checks in SQL.

Importing this module takes seconds, so only the gate does, when it first checks.
"""

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from sqlalchemy import Engine

from strandline.quality.suite import Check, Suite
from strandline.store.connect import session_options
from strandline.store.roles import Role

logging.getLogger("great_expectations").setLevel(logging.WARNING)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # from packages that it imports
    import great_expectations as gx
    from great_expectations.core import ExpectationValidationResult
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )
    from great_expectations.datasource.fluent.postgres_datasource import PostgresDatasource
    from great_expectations.expectations.core.unexpected_rows_expectation import UnexpectedRowsExpectation

# Great Expectations returns 200 rows at most, so all findings are packed into one.
_PACKED: Final = "SELECT json_agg(found) AS found FROM ({sql}) AS found HAVING count(*) > 0"


class SuiteResult(NamedTuple):
    """The findings of a suite in the order of its checks, and the statistics of Great Expectations."""

    findings: list[dict[str, Any]]
    statistics: Mapping[str, Any]


class SuiteError(Exception):
    """A check could not be run."""


def run_suite(engine: Engine, suite: Suite) -> SuiteResult:
    """Run every check of the suite over one snapshot of its window."""
    with _source(engine) as source:
        window = source.add_query_asset(suite.name, query=suite.window.strip())
        batch = window.add_batch_definition_whole_table(suite.name).get_batch()
        expectations = gx.ExpectationSuite(suite.name, expectations=[_expectation(check) for check in suite.checks])
        validation = batch.validate(expectations, result_format="COMPLETE")
    results = {result["expectation_config"]["meta"]["check"]: result for result in validation.results}
    findings = [finding for check in suite.checks for finding in _findings(check, results[check.name])]
    return SuiteResult(findings, dict(validation.statistics))


@contextmanager
def _source(engine: Engine) -> Iterator[PostgresDatasource]:
    """A Great Expectations data source for our database, with connections of its own that are closed at the end.

    The connection string only satisfies its validator, which wants a user and a host and reads a $ as a variable: the
    driver gets the engine's own parameters. One connection, because the window is a temporary table.
    """
    context = gx.get_context(
        mode="ephemeral",
        project_config=DataContextConfig(
            analytics_enabled=False,
            progress_bars=ProgressBarsConfig(globally=False),
            store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        ),
    )
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


def _expectation(check: Check) -> UnexpectedRowsExpectation:
    return UnexpectedRowsExpectation(
        unexpected_rows_query=_PACKED.replace("{sql}", check.sql), meta={"check": check.name}
    )


def _findings(check: Check, result: ExpectationValidationResult) -> Iterator[dict[str, Any]]:
    """A finding for each row that the check selected; columns outside of the key are its details."""
    if result.success:
        return
    details = result.result.get("details")
    if details is None:
        raise SuiteError(f"{check.name}: {_reason(result.exception_info)}")
    for found in details["unexpected_rows"][0]["found"]:
        key = {name: found.pop(name) for name in ("instrument_id", "timeframe", "ts")}
        yield {**key, "check_name": check.name, "severity": check.severity.value, "details": found}


def _reason(exceptions: Mapping[str, Any]) -> str:
    """The message of the first exception."""
    return next(
        (str(exception["exception_message"]) for exception in exceptions.values() if isinstance(exception, Mapping)),
        "no result",
    )
