"""Reads a Parquet file piece by piece."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from strandline.history.file_columns import MAY_BE_NULL, Kind, Piece, kind_of, require_columns
from strandline.history.parquet_columns import RowError, fault_of, read_array
from strandline.venues.archive import BadFileError

_MAGIC: Final = b"PAR1"
_SUFFIXES: Final = frozenset({".parquet", ".pq"})
_BUFFER_BYTES: Final = 2**20
_INSTRUMENTS: Final = b"strandline.instruments"
"""In the metadata of the files of maintenance: what the instruments' numbers mean."""

_INDEX: Final = "__index_level_"
"""The beginning of the name that pandas gives to an index that has none: the numbers of rows."""


def is_parquet(path: Path) -> bool:
    """Whether it says so, by its first bytes or by its name."""
    if path.suffix.lower() in _SUFFIXES:
        return True
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except OSError as error:
        raise BadFileError(f"{path} cannot be read: {error.strerror}") from error


def parquet_pieces(path: Path, rows: int) -> Iterator[Piece]:
    """Read so many rows at once, however large its row groups are; raises `BadFileError`."""
    try:
        # With its own buffers it would hold a whole row group, or the whole file.
        with pq.ParquetFile(path, pre_buffer=False, buffer_size=_BUFFER_BYTES) as file:
            schema = file.schema_arrow
            columns = [name for name in schema.names if not name.startswith(_INDEX)]
            instruments = _instruments(schema)
            if instruments:
                kind = Kind.TICKS
                require_columns(str(path), kind, columns)
            else:
                kind = kind_of(str(path), columns)
            _require_types(path, schema, columns)
            for first, values in _exactly(rows, _batches(path, kind, file, columns, rows)):
                if instruments:
                    values["symbol"] = [instruments.get(number, "") for number in values.pop("instrument_id")]
                digest = sha256(repr(sorted(values.items())).encode()).hexdigest()
                yield Piece(f"rows {first} to {first + len(values['ts']) - 1}", kind, values, digest)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise BadFileError(f"{path} cannot be read: {' '.join(str(error).split())}") from error


def _instruments(schema: Any) -> Mapping[int, str]:  # noqa: ANN401  pyarrow has no types
    names = (schema.metadata or {}).get(_INSTRUMENTS)
    return {int(number): name for number, name in json.loads(names).items()} if names else {}


def _require_types(path: Path, schema: Any, columns: Sequence[str]) -> None:  # noqa: ANN401  pyarrow has no types
    for name in columns:
        if fault := fault_of(name, schema.field(name).type):
            problem, remedy = fault
            raise BadFileError(f"{path}, column {name}: {problem}", remedy)


def _batches(
    path: Path,
    kind: Kind,
    file: Any,  # noqa: ANN401  pyarrow has no types
    columns: Sequence[str],
    rows: int,
) -> Iterator[dict[str, list[Any]]]:
    """The values of so many rows at most: what is encoded as a dictionary ends with its row group."""
    before = 0
    for batch in file.iter_batches(batch_size=rows, columns=columns):
        values = {}
        for name, array in zip(batch.schema.names, batch.columns, strict=True):
            try:
                values[name] = read_array(name, array, may_be_null=name in MAY_BE_NULL[kind])
            except RowError as error:
                row = before + error.position + 1
                raise BadFileError(
                    f"{path}, row {row}, column {name}: {error}",
                    f"nothing from row {(row - 1) // rows * rows + 1} on was stored; mend it and run the same again",
                ) from error
        before += len(batch)
        yield values


def _exactly(rows: int, batches: Iterable[dict[str, list[Any]]]) -> Iterator[tuple[int, dict[str, list[Any]]]]:
    """The same values, so many rows at once, and the number of their first row."""
    first = 1
    waiting: dict[str, list[Any]] = {}
    for batch in batches:
        waiting = {name: waiting.get(name, []) + values for name, values in batch.items()}
        while len(waiting["ts"]) >= rows:
            yield first, {name: values[:rows] for name, values in waiting.items()}
            waiting = {name: values[rows:] for name, values in waiting.items()}
            first += rows
    if waiting and waiting["ts"]:
        yield first, waiting
