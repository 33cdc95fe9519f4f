"""Renders stored results of the gate as Great Expectations' Data Docs: a site of plain files, with an index."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from sqlalchemy import Engine, text

from strandline.model.errors import StrandlineError
from strandline.quality.expectations import ephemeral_context
from strandline.quality.offline import STYLE, make_offline, write_style
from strandline.quality.pages import INDEX, batch_name, page, run_name
from strandline.quality.quiet import quiet
from strandline.quality.suite import LARGEST

with quiet():
    import great_expectations as gx
    from great_expectations.core import ExpectationSuiteValidationResult, ExpectationValidationResult
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.data_context.types.resource_identifiers import (
        ExpectationSuiteIdentifier,
        ValidationResultIdentifier,
    )
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

_CYCLES: Final = 12
_FAULTY_RUNS: Final = 100
_ROWS_SHOWN: Final = 50
_NAME: Final = "strandline"
_QUERY: Final = "unexpected_rows_expectation"
_ANY_QUERY: Final = {"unexpected_rows_query": "SELECT FROM {batch}"}
"""It wants one to render a result; what is shown is our description."""

# Of the last week, so that no more is read the longer the system runs.
_RUNS: Final = text("""
    WITH recent AS (
      SELECT DISTINCT ON (cycle_t, suite) quality_run_id, cycle_t, suite, succeeded, error, statistics FROM quality_runs
      WHERE cycle_t > (SELECT max(cycle_t) FROM quality_runs) - interval '7 days'
      ORDER BY cycle_t DESC, suite, quality_run_id DESC
    ), faulty AS (
      SELECT quality_run_id FROM recent r
      WHERE NOT succeeded OR EXISTS (SELECT FROM quality_findings f WHERE f.quality_run_id = r.quality_run_id)
      ORDER BY cycle_t DESC, quality_run_id DESC LIMIT :faulty
    )
    SELECT * FROM recent
    WHERE cycle_t IN (SELECT DISTINCT cycle_t FROM recent ORDER BY cycle_t DESC LIMIT :cycles)
       OR quality_run_id IN (SELECT quality_run_id FROM faulty)
    ORDER BY quality_run_id DESC
""")
_FINDINGS: Final = text("""
    SELECT f.quality_run_id, f.check_name, f.instrument_id, i.symbol, f.timeframe::text, f.ts, f.details
    FROM quality_findings f LEFT JOIN instruments i USING (instrument_id)
    WHERE f.quality_run_id = ANY (:runs) ORDER BY f.quality_run_id, f.finding_no
""")


class Rendered(NamedTuple):
    """The page to begin with, and how many pages are new and how many there are."""

    start: Path
    new: int
    pages: int


class _Run(NamedTuple):
    """A stored run with its findings."""

    quality_run_id: int
    cycle_t: datetime
    suite: str
    succeeded: bool
    error: str | None
    statistics: Mapping[str, Any]
    findings: Sequence[Mapping[str, Any]]

    @property
    def identifier(self) -> ValidationResultIdentifier:
        """By what Great Expectations knows the run, and names its page."""
        return ValidationResultIdentifier(
            expectation_suite_identifier=ExpectationSuiteIdentifier(name=self.suite),
            run_id=RunIdentifier(run_name=run_name(self.cycle_t), run_time=self.cycle_t),
            batch_identifier=batch_name(self.quality_run_id),
        )


def render_data_docs(database: Engine, directory: Path) -> Rendered:
    """Render the runs of the newest cycles, and the newest runs that found something; pages of others are removed.

    A page is rendered once, because a stored run never changes.
    """
    runs = list(_stored_runs(database))
    context = ephemeral_context({_NAME: _site(directory)})
    new = [run for run in runs if not _page(directory, run).exists()]
    for run in runs:
        context.validation_results_store.set(run.identifier, _validation(run))
    if runs:
        # Without names it would render all of them.
        context.build_data_docs(resource_identifiers=[run.identifier for run in new or runs[:1]])
    _write_list(directory, runs)
    write_style(directory)
    for path in (_page(directory, run) for run in runs):
        if path.exists():
            make_offline(path, directory)
    missing = [run for run in new if not _page(directory, run).exists()]
    if missing:
        # It only logs what it could not render.
        raise StrandlineError(f"{len(missing)} pages could not be rendered", "read what Great Expectations has logged")
    return Rendered(directory / INDEX, len(new), len(runs))


def _write_list(directory: Path, runs: Sequence[_Run]) -> None:
    """A list of the runs, in place of the index of Great Expectations, which is a table only with its scripts."""
    lines = [
        f'<li><a href="{_page(directory, run).relative_to(directory).as_posix()}">{run.cycle_t:%Y-%m-%d %H:%M} UTC '
        f"{run.suite}</a>: {_outcome(run)}</li>"
        for run in runs
    ]
    directory.mkdir(parents=True, exist_ok=True)
    style = f'<link rel="stylesheet" href="{STYLE}">'
    title = f'<!doctype html><meta charset="utf-8"><title>Data quality</title>{style}<h1>Data quality</h1>'
    (directory / INDEX).write_text(f"{title}<ul>{''.join(lines)}</ul>")


def _outcome(run: _Run) -> str:
    if not run.succeeded:
        return "<b>could not be run</b>"
    count = len(run.findings)
    return f"<b>{count} {'finding' if count == 1 else 'findings'}</b>" if count else "nothing found"


def _page(directory: Path, run: _Run) -> Path:
    return page(directory, run.suite, run.cycle_t, run.quality_run_id)


def _stored_runs(database: Engine) -> Iterator[_Run]:
    with database.connect() as connection:
        runs = connection.execute(_RUNS, {"cycles": _CYCLES, "faulty": _FAULTY_RUNS}).all()
        found = connection.execute(_FINDINGS, {"runs": [run.quality_run_id for run in runs]}).mappings().all()
    for run in runs:
        findings = [dict(finding) for finding in found if finding["quality_run_id"] == run.quality_run_id]
        yield _Run(**run._mapping, findings=findings)  # noqa: SLF001  the public name of a row as a mapping


def _site(directory: Path) -> Mapping[str, Any]:
    """Pages of results only: there are no stored expectations."""
    return {
        "class_name": "SiteBuilder",
        "show_how_to_buttons": False,
        "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(directory)},
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        "site_section_builders": {
            "expectations": "None",
            "profiling": "None",
            "validations": {"class_name": "DefaultSiteSectionBuilder", "source_store_name": "validation_results_store"},
        },
    }


def _validation(run: _Run) -> ExpectationSuiteValidationResult:
    """The run in the form of Great Expectations."""
    checks = run.statistics.get("checks", [])
    results = [_result(check, run) for check in checks] if run.succeeded else [_failure(run)]
    statistics = {name: value for name, value in run.statistics.items() if name != "checks"}
    return ExpectationSuiteValidationResult(
        success=all(result.success for result in results),
        results=results,
        suite_name=run.suite,
        statistics=dict(statistics or _statistics(results)),
        meta={
            "run_id": run.identifier.run_id,
            "great_expectations_version": gx.__version__,
            "active_batch_definition": {"datasource_name": "postgres", "data_asset_name": run.suite},
            "batch_spec": {},
        },
    )


def _statistics(results: Sequence[ExpectationValidationResult]) -> Mapping[str, Any]:
    passed = sum(bool(result.success) for result in results)
    return {
        "evaluated_expectations": len(results),
        "successful_expectations": passed,
        "unsuccessful_expectations": len(results) - passed,
        "success_percent": 100 * passed / len(results) if results else None,
    }


def _failure(run: _Run) -> ExpectationValidationResult:
    described = "The suite could not be run, which blocks all entries of the cycle."
    return _expectation_result(_QUERY, {}, described, success=False, found=[str(run.error)], rows=0)


def _result(check: Mapping[str, Any], run: _Run) -> ExpectationValidationResult:
    found = [_in_words(finding) for finding in run.findings if finding["check_name"] == check["check"]]
    arguments, where = check.get("arguments", {}), check.get("where")
    named = f": {check['expectation']}" if "expectation" in check else ""
    only = f", where {where[0]} is {where[1]}" if where else ""
    failed = "" if check["success"] else "FAILED "
    described = f"{failed}{check['check']} ({check['severity']}){named}{_in_brackets(arguments)}{only}"
    return _expectation_result(
        check.get("expectation", _QUERY),
        arguments,
        described,
        success=check["success"],
        found=[] if check["success"] else found,
        rows=check.get("element_count") or 0,
    )


def _expectation_result(
    kind: str, arguments: Mapping[str, Any], described: str, *, success: bool, found: Sequence[str], rows: int
) -> ExpectationValidationResult:
    return ExpectationValidationResult(
        success=success,
        expectation_config=ExpectationConfiguration(
            type=kind, kwargs=dict(arguments) or _ANY_QUERY, description=described
        ),
        result={
            "element_count": max(rows, len(found)),
            "unexpected_count": len(found),
            "unexpected_percent": 100 * len(found) / max(rows, len(found), 1),
            "observed_value": len(found),
            "partial_unexpected_list": found[:_ROWS_SHOWN],
        },
    )


def _in_brackets(arguments: Mapping[str, Any]) -> str:
    # As an integer with three hundred digits it comes out of JSON.
    said = {name: "the largest number" if _is_largest(value) else value for name, value in arguments.items()}
    given = [f"{name} {value}" for name, value in said.items() if value is not None and value is not False]
    return f" ({', '.join(given)})" if given else ""


def _is_largest(value: object) -> bool:
    return isinstance(value, int | float) and float(value) == LARGEST


def _in_words(finding: Mapping[str, Any]) -> str:
    """The finding on one line: its instrument, timeframe and bar, then the values."""
    key = (finding["symbol"], finding["timeframe"], f"{finding['ts']:%Y-%m-%d %H:%M:%S} UTC" if finding["ts"] else None)
    values = (f"{name} {value}" for name, value in finding["details"].items() if value is not None)
    return f"{' '.join(part for part in key if part)}: {', '.join(values)}"
