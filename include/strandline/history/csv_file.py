"""Reads a CSV file piece by piece."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pandas as pd  # type: ignore[import-untyped]

from strandline.history.csv_columns import read_columns
from strandline.history.file_columns import Piece, kind_of
from strandline.venues.archive import BadFileError


def csv_pieces(path: Path, lines: int) -> Iterator[Piece]:
    """Read so many lines at once; raises `BadFileError`.

    pandas reads it as text, so that numbers are converted exactly and a fault is told by line and column.
    """
    for frame in _frames(path, lines):
        kind = kind_of(f"{path}, line 1", [str(name) for name in frame.columns])
        first = int(frame.index[0]) + 2 if len(frame) else 2
        digest = sha256(frame.to_csv(index=False).encode()).hexdigest()
        yield Piece(f"lines {first} to {first + len(frame) - 1}", kind, read_columns(path, frame), digest)


def _frames(path: Path, lines: int) -> Iterator[pd.DataFrame]:
    try:
        with pd.read_csv(
            path,
            dtype=str,
            keep_default_na=False,
            skip_blank_lines=False,
            chunksize=lines,
            encoding="utf-8",
            skipinitialspace=True,
        ) as frames:
            yield from frames
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, EOFError, OSError) as error:
        raise BadFileError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
