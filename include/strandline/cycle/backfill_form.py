"""The fields of the form with which a person loads history, and what was filled in."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from strandline.cycle.backfill_request import BackfillRequest, make_request
from strandline.cycle.runs import DagRun
from strandline.model.source import HistorySource
from strandline.model.timeframe import Timeframe
from strandline.venues.registry import venues

FIELDS: Final[Mapping[str, Mapping[str, Any]]] = {
    "venue": {
        "default": str(venues()[0].key),
        "type": "string",
        "enum": [str(venue.key) for venue in venues()],
        "title": "Venue",
        "description": "Whose data.",
    },
    "symbols": {
        "default": None,
        "type": ["null", "array"],
        "items": {"type": "string"},
        "title": "Symbols",
        "description": "Symbols or contracts, such as ETH, one a line; empty: all that is streamed.",
    },
    "from": {
        "default": None,
        "type": ["null", "string"],
        "format": "date",
        "title": "From",
        "description": "The first day, in UTC; empty: the day of the run.",
    },
    "to": {
        "default": None,
        "type": ["null", "string"],
        "format": "date",
        "title": "To",
        "description": "The last day, which is included; empty: the day of the run.",
    },
    "source": {
        "default": HistorySource.REST.value,
        "type": "string",
        "enum": [source.value for source in HistorySource],
        "title": "Source",
        "description": "rest: the venue's candles; archive: its files of trades and contexts; file: CSV or Parquet.",
    },
    "timeframe": {
        "default": Timeframe.M1.value,
        "type": "string",
        "enum": [timeframe.value for timeframe in Timeframe],
        "title": "Timeframe",
        "description": "The length of the venue's candles: of longer ones it keeps more.",
    },
    "path": {
        "default": None,
        "type": ["null", "string"],
        "title": "Path",
        "description": "On the worker's machine: the folder that the archive was copied to, or the file.",
    },
    "again": {
        "default": False,
        "type": "boolean",
        "title": "Again",
        "description": "Load what was loaded before, too.",
    },
}
"""By name, the JSON schema of each field and its default."""


class IntervalRun(DagRun, Protocol):
    """A run of Airflow's with both ends of its interval."""

    data_interval_start: datetime | None


def read_form(run: IntervalRun, params: Mapping[str, Any]) -> BackfillRequest:
    """Make the request: the form's days, else the run's own interval, else the last day that is over.

    A file is loaded whole when a person asks for it without days.
    """
    start: str | datetime | None = params["from"]
    end: str | datetime | None = params["to"]
    whole_file = params["source"] == HistorySource.FILE and run.run_type.value == "manual"
    if start is None and end is None and not whole_file:
        start, end = _interval(run)
    return make_request(
        venue=params["venue"],
        symbols=params["symbols"] or (),
        start=start or end,
        end=end or start,
        source=params["source"],
        path=params["path"],
        again=params["again"],
        timeframe=params["timeframe"],
    )


def _interval(run: IntervalRun) -> tuple[datetime, datetime]:
    """A run that a person triggers without a date has none."""
    if run.data_interval_start is not None and run.data_interval_end is not None:
        return run.data_interval_start, run.data_interval_end
    today = Timeframe.D1.start_of(run.run_after)
    return today - timedelta(days=1), today
