"""Runs the check suites of a cycle and stores their findings."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from importlib import import_module
from typing import Any, NamedTuple

from sqlalchemy import Engine, text

from strandline.model.strategy import Strategy
from strandline.model.timeframe import Timeframe
from strandline.quality.bars import bars_suite, history_suite
from strandline.quality.rows import rows_suite
from strandline.quality.severity import Severity
from strandline.quality.signals import signals_suite
from strandline.quality.suite import HISTORY, Suite
from strandline.quality.ticks import ticks_suite
from strandline.quality.window import Window, window_of

_RUN = text("""
    INSERT INTO quality_runs (cycle_t, suite, ran_at, succeeded, error, statistics)
    VALUES (:cycle, :suite, :as_of, CAST(:error AS text) IS NULL, :error, CAST(:statistics AS jsonb))
    RETURNING quality_run_id
""")
_FINDINGS = text("""
    INSERT INTO quality_findings
      (quality_run_id, finding_no, instrument_id, timeframe, ts, check_name, severity, details)
    SELECT :run, found.* FROM jsonb_to_recordset(CAST(:findings AS jsonb)) AS found (
      no integer, instrument_id integer, timeframe timeframe, ts timestamptz, check_name text, severity severity,
      details jsonb
    )
""")


class QualityResult(NamedTuple):
    """The number of findings by severity, the error of each suite that could not be run, and the runs' numbers."""

    findings: Mapping[Severity, int]
    errors: Mapping[str, str]
    runs: Mapping[str, int]


def check(engine: Engine, strategy: Strategy, cycle: datetime, as_of: datetime) -> QualityResult:
    """Check the data of a cycle and store the findings. If it is repeated, the newest run counts.

    A suite that cannot be run is stored as failed, which blocks all entries of the cycle; so does no run at all.
    """
    window = _window(engine, strategy, cycle, as_of)
    # Ticks first: the suite of the bars reads their findings.
    suites = (ticks_suite(window), bars_suite(window, strategy), rows_suite(window, strategy))
    return _run_all(engine, window, suites)


def check_signals(engine: Engine, strategy: Strategy, cycle: datetime, as_of: datetime) -> QualityResult:
    """Check the signals of a cycle, after the engine made them and before anything is planned on them; see `check`."""
    window = _window(engine, strategy, cycle, as_of)
    return _run_all(engine, window, (signals_suite(window, strategy),))


def check_history(engine: Engine, strategy: Strategy, day: datetime, until: datetime, as_of: datetime) -> QualityResult:
    """Check the bars of this day that ended by `until`, all instruments'; the newest run of a day counts.

    No cycle is blocked by what is found, but no series steps a bar that is withheld.
    """
    ends_at = min(day + Timeframe.D1.length, until)
    run = _run(engine, history_suite(day, ends_at, strategy, as_of))
    number = _store(engine, ends_at, as_of, HISTORY, run)
    findings = Counter(Severity(finding["severity"]) for finding in run.findings)
    return QualityResult(findings, {} if run.error is None else {HISTORY: run.error}, {HISTORY: number})


def preload() -> None:
    """Import Great Expectations, which takes seconds, so that forked processes have it. Opens no connection."""
    import_module("strandline.quality.expectations")


def _window(engine: Engine, strategy: Strategy, cycle: datetime, as_of: datetime) -> Window:
    with engine.connect() as connection:
        return window_of(connection, strategy, cycle, as_of)


def _run_all(engine: Engine, window: Window, suites: Iterable[Suite]) -> QualityResult:
    findings: Counter[Severity] = Counter()
    errors, runs = {}, {}
    for suite in suites:
        run = _run(engine, suite)
        runs[suite.name] = _store(engine, window.cycle, window.as_of, suite.name, run)
        findings.update(Severity(finding["severity"]) for finding in run.findings)
        if run.error is not None:
            errors[suite.name] = run.error
    return QualityResult(findings, errors, runs)


class _SuiteRun(NamedTuple):
    """The result of a suite, or its error."""

    findings: list[dict[str, Any]]
    statistics: Mapping[str, Any]
    error: str | None


def _run(engine: Engine, suite: Suite) -> _SuiteRun:
    try:
        from strandline.quality.expectations import run_suite

        findings, statistics = run_suite(engine, suite)
    except Exception as error:  # noqa: BLE001  the gate fails closed, whatever went wrong
        return _SuiteRun([], {}, " ".join(f"{type(error).__name__}: {error}".split()))
    return _SuiteRun(findings, statistics, None)


def _store(engine: Engine, cycle: datetime, as_of: datetime, suite: str, run: _SuiteRun) -> int:
    """Store the run and its findings in one transaction; returns its number."""
    findings = [{"no": number, **finding} for number, finding in enumerate(run.findings, 1)]
    with engine.begin() as connection:
        run_id: int = connection.execute(
            _RUN,
            {
                "cycle": cycle,
                "suite": suite,
                "as_of": as_of,
                "error": run.error,
                "statistics": json.dumps(run.statistics),
            },
        ).scalar_one()
        connection.execute(_FINDINGS, {"run": run_id, "findings": json.dumps(findings, default=str)})
    return run_id
