"""Chooses what a backfill reads: the venue's archive, its candles, or a file."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from strandline.cycle.backfill_instruments import Instruments
from strandline.cycle.backfill_request import BackfillRequest
from strandline.history.archive import archive_units
from strandline.history.asset_contexts import context_units
from strandline.history.file_units import FileRequest, file_units
from strandline.history.rest import rest_units
from strandline.history.units import DaysInFiles, Unit
from strandline.model.errors import StrandlineError
from strandline.model.source import HistorySource
from strandline.venues.config import VenueConfig
from strandline.venues.venue import Venue


@dataclass(frozen=True)
class Plan:
    """The units; their count, where it is known before they are read; the hours of which it has no file of
    trades, and the days without asset contexts, in an archive.
    """

    units: Iterable[Unit]
    count: int | None = None
    missing: Sequence[datetime] = ()
    missing_days: Sequence[datetime] = ()


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
    archive, until = venue.archive(), min(request.ends_at, now)
    span = request.starts_at, until
    trades = archive_units(archive, folder, instruments.numbers, *span, now, in_files)
    contexts = context_units(archive, folder, instruments.numbers, *span, now)
    if not (trades.units or contexts.units):
        day = request.starts_at
        names = " or ".join(f"{dataset.name}/hourly/{day:%Y%m%d}/{day.hour}.lz4" for dataset in archive.datasets)
        raise StrandlineError(
            f"{folder} has no archive of {day:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC",
            f"put the files there as the archive names them, {names} or asset_ctxs/{day:%Y%m%d}.csv.lz4",
        )
    # Each of the two may be loaded alone: what nobody has copied is not missing.
    return Plan(
        [*trades.units, *contexts.units],
        len(trades.units) + len(contexts.units),
        trades.missing if trades.units else (),
        contexts.missing if contexts.units else (),
    )


def _path(request: BackfillRequest) -> Path:
    if request.path is None:
        raise StrandlineError(f"the source {request.source} needs a path", "say where its files are: --path")
    return request.path
