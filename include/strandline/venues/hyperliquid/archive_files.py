"""Opens the files of Hyperliquid's archives, and tells what is wrong with them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import lz4.frame  # type: ignore[import-untyped]

from strandline.venues.archive import BadFileError


@dataclass
class Line:
    """The number of the line that is being read."""

    number: int = 0


def opened(path: Path) -> IO[bytes]:
    """The file as it was before it was compressed."""
    opened: IO[bytes] = lz4.frame.open(path, "rb") if path.suffix == ".lz4" else path.open("rb")
    return opened


@contextmanager
def read_errors(path: Path, records: str) -> Iterator[Line]:
    """Raise `BadFileError`, with the line, for whatever goes wrong meanwhile; `records` says what should be there."""
    line = Line()
    try:
        yield line
    except BadFileError:
        raise
    except (ValueError, TypeError, RecursionError) as error:
        raise BadFileError(f"{path}, line {line.number}: no record of {records}: {error}") from error
    except (EOFError, RuntimeError) as error:
        # lz4 has no exception of its own.
        if line.number == 0 and "frame" in str(error).lower():
            raise BadFileError(f"{path} is not compressed with LZ4, as its name says ({error})") from error
        raise BadFileError(f"{path} is damaged or cut off after line {line.number}: {error}") from error
    except OSError as error:
        raise BadFileError(f"{path} cannot be read: {error}") from error
