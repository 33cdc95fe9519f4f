"""What the findings of a cycle block."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple, TypeAlias

from sqlalchemy import Connection, text

from strandline.model.timeframe import Timeframe
from strandline.quality.severity import Severity

_SUITES: Final = ("ticks", "bars", "rows", "signals")
_NEWEST_RUNS = text("""
    SELECT DISTINCT ON (suite) suite, quality_run_id, succeeded FROM quality_runs
    WHERE cycle_t = :cycle AND suite = ANY (:suites) ORDER BY suite, quality_run_id DESC
""")
_FINDINGS = text("""
    SELECT instrument_id, timeframe, severity, check_name FROM quality_findings
    WHERE quality_run_id = ANY (:runs) AND severity <> 'warn' ORDER BY quality_run_id, finding_no
""")

Series: TypeAlias = tuple[int, Timeframe | None]
"""An instrument and a timeframe; None stands for all of its timeframes."""


class Blocks(NamedTuple):
    """Reasons that block all entries, and those that block a series; one with block_all may not be trimmed either."""

    all_entries: tuple[str, ...]
    by_series: Mapping[Series, tuple[tuple[Severity, str], ...]]

    @property
    def of_everything(self) -> frozenset[int]:
        """The instruments with a finding that blocks everything but exits."""
        return frozenset(
            instrument_id
            for (instrument_id, _), findings in self.by_series.items()
            if any(severity is Severity.BLOCK_ALL for severity, _ in findings)
        )

    def of(self, instrument_id: int, timeframe: Timeframe) -> tuple[tuple[Severity, str], ...]:
        """The findings that block this series: its own, and those of its instrument as a whole."""
        return self.by_series.get((instrument_id, None), ()) + self.by_series.get((instrument_id, timeframe), ())


def blocks(connection: Connection, cycle: datetime) -> Blocks:
    """Read the newest run of each suite. The gate fails closed: one that failed or did not run blocks all entries."""
    runs = {run.suite: run for run in connection.execute(_NEWEST_RUNS, {"cycle": cycle, "suites": list(_SUITES)})}
    all_entries = [f"not_checked:{suite}" for suite in _SUITES if suite not in runs]
    all_entries += [f"check_failed:{suite}" for suite in _SUITES if suite in runs and not runs[suite].succeeded]
    by_series: defaultdict[Series, dict[tuple[Severity, str], None]] = defaultdict(dict)
    for finding in connection.execute(_FINDINGS, {"runs": [run.quality_run_id for run in runs.values()]}):
        severity, timeframe = Severity(finding.severity), Timeframe(finding.timeframe) if finding.timeframe else None
        if finding.instrument_id is None:
            all_entries.append(finding.check_name)
            continue
        by_series[finding.instrument_id, timeframe][severity, finding.check_name] = None
    return Blocks(tuple(all_entries), {key: tuple(findings) for key, findings in by_series.items()})
