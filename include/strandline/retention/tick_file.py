"""One Parquet file of a day's ticks: written, read and verified some rows at a time."""

import json
from collections.abc import Iterable, Iterator, Mapping
from hashlib import file_digest
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from strandline.model.errors import StrandlineError
from strandline.retention.content import ContentHash
from strandline.retention.durable import sync_file
from strandline.retention.manifest import ArchivedFile
from strandline.retention.tick_bytes import SCHEMA, TICK, Ticks, from_columns, to_columns

GROUP_ROWS: Final = 100_000
"""A row group has so many rows, or those of one minute if these are more: what is in memory at once."""

_METADATA: Final = b"strandline.instruments"
_ENCODINGS: Final = {
    "ts": "DELTA_BINARY_PACKED",
    "trade_id": "DELTA_BINARY_PACKED",
    # Most values differ: a dictionary would only cost room.
    "price": "BYTE_STREAM_SPLIT",
    "size": "BYTE_STREAM_SPLIT",
}


class DamagedFileError(StrandlineError):
    """The file is not the one that the manifest speaks of."""

    def __init__(self, file: Path, problem: str) -> None:
        super().__init__(f"{file} {problem}", "restore the file from a copy; nothing of it was used")


def write_ticks(file: Path, minutes: Iterable[Ticks], instruments: Mapping[int, str]) -> ContentHash:
    """Write the ticks, which come in order, to a new file on the disk; `instruments` says what each number means."""
    content = ContentHash()
    names = json.dumps({str(number): instruments[number] for number in sorted(instruments)})
    schema = SCHEMA.with_metadata({_METADATA: names})
    with pq.ParquetWriter(
        file,
        schema,
        compression="zstd",
        use_dictionary=["instrument_id", "side", "kind", "source"],
        column_encoding=_ENCODINGS,
        sorting_columns=[pq.SortingColumn(number) for number in range(3)],
    ) as writer:
        for ticks in _groups(minutes):
            content.add(ticks)
            writer.write_table(to_columns(ticks), row_group_size=len(ticks))
    sync_file(file)
    return content


def read_ticks(file: Path) -> Iterator[Ticks]:
    """The ticks in order."""
    try:
        # With its buffer it would hold the whole file.
        with pq.ParquetFile(file, pre_buffer=False) as parquet:
            for batch in parquet.iter_batches(batch_size=GROUP_ROWS, columns=SCHEMA.names):
                yield from_columns(batch)
    except (OSError, pa.ArrowException) as error:
        raise DamagedFileError(file, f"cannot be read ({error})") from error


def read_instruments(file: Path) -> Mapping[int, str]:
    """What the instruments' numbers meant when the file was written."""
    metadata: Any = pq.read_schema(file).metadata
    return {int(number): name for number, name in json.loads(metadata[_METADATA]).items()}


def read_content(file: Path) -> ContentHash:
    """Read the whole file back."""
    content = ContentHash()
    for ticks in read_ticks(file):
        content.add(ticks)
    return content


def verify(file: Path, entry: ArchivedFile) -> None:
    """Read the file, and refuse it unless it has every byte and every tick that the manifest says."""
    if file_hash(file) != entry.sha256:
        raise DamagedFileError(file, "is not as it was written: its SHA-256 differs from the manifest's")
    if read_content(file).result() != entry.content:
        raise DamagedFileError(file, "does not contain the ticks that the manifest says")


def file_hash(file: Path) -> str:
    """The SHA-256 of its bytes."""
    try:
        with file.open("rb") as stream:
            return file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise DamagedFileError(file, f"cannot be read ({error.strerror})") from error


def _groups(minutes: Iterable[Ticks]) -> Iterator[Ticks]:
    # Without its type numpy turns the bytes of the numbers round.
    waiting: list[Ticks] = []
    for ticks in minutes:
        waiting.append(ticks)
        if sum(map(len, waiting)) >= GROUP_ROWS:
            yield np.concatenate(waiting, dtype=TICK)
            waiting = []
    if waiting:
        yield np.concatenate(waiting, dtype=TICK)
