"""Makes units of a venue's archive: one for each hour's file."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from hashlib import file_digest
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

from strandline.history.ticks import HistoricTick, load_ticks
from strandline.history.units import DaysInFiles, Loaded, Unit, UnitKey
from strandline.model.source import HistorySource
from strandline.model.timeframe import Timeframe
from strandline.store.connect_async import Connection
from strandline.venues.archive import Archive, ArchivedTrade, BadFileError, Dataset

_HOUR: Final = timedelta(hours=1)


class ArchivePlan(NamedTuple):
    """The units of an archive, the oldest first, and the hours without a file."""

    units: Sequence[Unit]
    missing: Sequence[datetime]


class _File(NamedTuple):
    """A file, and the hours whose trades are taken from it."""

    path: Path
    dataset: Dataset
    hour: datetime
    hours: Sequence[datetime]


def archive_units(
    archive: Archive,
    folder: Path,
    instruments: Mapping[str, int],
    starts_at: datetime,
    ends_at: datetime,
    loaded_at: datetime,
    in_files: DaysInFiles = (),
) -> ArchivePlan:
    """Plan the files to read. Each hour's trades come from one dataset, so that none is stored under two ids.

    Some trades of an hour are in the files of the hours beside it: these are read too.
    """
    hours = list(Timeframe.H1.starts(starts_at, ends_at))
    chosen = {hour: _dataset_of(archive, folder, hour) for hour in hours}
    files = [file for dataset in archive.datasets for file in _files(archive, folder, dataset, chosen)]
    units = [
        _unit(archive, file, instruments, (starts_at, ends_at), loaded_at, in_files)
        for file in sorted(files, key=lambda file: (file.hour, file.dataset))
    ]
    return ArchivePlan(units, [hour for hour, dataset in chosen.items() if dataset is None])


def digest_of(path: Path) -> str:
    """The SHA-256 of its bytes; raises `BadFileError`."""
    try:
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadFileError(f"{path} cannot be read: {error}") from error


def _dataset_of(archive: Archive, folder: Path, hour: datetime) -> Dataset | None:
    return next((one for one in archive.datasets if archive.path_of(folder, one, hour) is not None), None)


def _files(
    archive: Archive, folder: Path, dataset: Dataset, chosen: Mapping[datetime, Dataset | None]
) -> Iterator[_File]:
    """The files of a dataset that may have trades of the hours for which it was chosen."""
    near = {hour + shift * _HOUR for hour, one in chosen.items() if one == dataset for shift in (-1, 0, 1)}
    for hour in near:
        path = archive.path_of(folder, dataset, hour)
        if path is not None:
            around = [hour + shift * _HOUR for shift in (-1, 0, 1)]
            wanted = [one for one in around if chosen.get(one) == dataset]
            for hours in _contiguous(wanted):
                yield _File(path, dataset, hour, hours)


def _contiguous(hours: Sequence[datetime]) -> Iterator[list[datetime]]:
    run = list(hours[:1])
    for before, hour in pairwise(hours):
        if hour - before > _HOUR:
            yield run
            run = []
        run.append(hour)
    yield run


def _unit(
    archive: Archive,
    file: _File,
    instruments: Mapping[str, int],
    asked: tuple[datetime, datetime],
    loaded_at: datetime,
    in_files: DaysInFiles,
) -> Unit:
    name = f"{file.dataset.name}/{file.hour:%Y%m%d}/{file.hour.hour}"
    starts_at, ends_at = max(asked[0], file.hours[0]), min(asked[1], file.hours[-1] + _HOUR)

    def key() -> UnitKey:
        return UnitKey(
            HistorySource.ARCHIVE, name, starts_at, ends_at, digest_of(file.path), file.hour, file.dataset.derived_ids
        )

    async def load(connection: Connection, key: UnitKey, wanted: Mapping[str, int]) -> Mapping[int, Loaded]:
        batches = archive.read(file.path, file.dataset, wanted)
        ticks = map(partial(_ticks, wanted), batches)
        return await load_ticks(connection, key, wanted.values(), ticks, loaded_at, in_files)

    # The next file may have more of this hour.
    return Unit(name, instruments, key, load, complete_until=file.hour, since=starts_at, until=ends_at)


def _ticks(instruments: Mapping[str, int], trades: Iterable[ArchivedTrade]) -> list[HistoricTick]:
    return [
        HistoricTick(one.ts, instruments[one.token], one.trade_id, one.price, one.size, one.side, b"t", rank=one.rank)
        for one in trades
    ]
