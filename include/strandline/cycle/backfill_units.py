"""Chooses what a backfill reads: the venue's archive, its candles, or a file."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from strandline.cycle.backfill_instruments import Instruments
from strandline.cycle.backfill_request import BackfillRequest
from strandline.history.archive import archive_units
from strandline.history.file_units import FileRequest, file_units
from strandline.history.rest import rest_units
from strandline.history.units import DaysInFiles, Unit
from strandline.model.errors import StrandlineError
from strandline.model.source import HistorySource
from strandline.venues.config import VenueConfig
from strandline.venues.venue import Venue


@dataclass(frozen=True)
class Plan:
    """The units; their count, where it is known before they are read; the hours that the archive has no file of."""

    units: Iterable[Unit]
    count: int | None = None
    missing: Sequence[datetime] = ()


def plan_units(
    venue: Venue,
    config: VenueConfig,
    request: BackfillRequest,
    instruments: Instruments,
    now: datetime,
    in_files: DaysInFiles,
) -> Plan:
    """Plan what is read; raises an error in words where the venue has no such source."""
    if request.source is HistorySource.REST:
        return _rest(venue, config, request, instruments, now)
    if request.source is HistorySource.ARCHIVE:
        return _archive(venue, request, instruments, now, in_files)
    path = _path(request)
    if not path.is_file():
        raise StrandlineError(f"{path} is no file", "give the path of a CSV or Parquet file")
    return Plan(
        file_units(
            FileRequest(
                path,
                request.venue,
                instruments.numbers,
                instruments.contracts,
                request.starts_at,
                request.ends_at,
                now,
                in_files,
            )
        )
    )


def _rest(venue: Venue, config: VenueConfig, request: BackfillRequest, instruments: Instruments, now: datetime) -> Plan:
    if venue.history is None:
        raise StrandlineError(f"{venue.key} serves no candles", "load a file instead: --source file")
    history = venue.history(config)
    units = list(rest_units(history, request.timeframe, instruments.numbers, request.starts_at, request.ends_at, now))
    return Plan(units, len(units))


def _archive(
    venue: Venue, request: BackfillRequest, instruments: Instruments, now: datetime, in_files: DaysInFiles
) -> Plan:
    if venue.archive is None:
        raise StrandlineError(f"{venue.key} publishes no archive of its trades", "load a file instead: --source file")
    folder = _path(request)
    if not folder.is_dir():
        raise StrandlineError(f"{folder} is no folder", "give the folder that the archive was copied to")
    until = min(request.ends_at, now)
    units, missing = archive_units(
        venue.archive(), folder, instruments.numbers, request.starts_at, until, now, in_files
    )
    return Plan(units, len(units), missing)


def _path(request: BackfillRequest) -> Path:
    if request.path is None:
        raise StrandlineError(f"the source {request.source} needs a path", "say where its files are: --path")
    return request.path
