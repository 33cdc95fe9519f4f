"""Log files of bounded size, written by programs that know nothing of it."""

import os
import shutil
from pathlib import Path
from typing import IO, Final

_LARGEST: Final = 10 * 1024 * 1024


def open_log(file: Path) -> IO[bytes]:
    """Open for appending: a program that writes like this goes on at the start after its log was emptied."""
    return file.open("ab")


def rotate_if_large(file: Path, largest: int = _LARGEST) -> None:
    """Move what a log holds to NAME.1, over what was moved there before.

    The contents are copied and the file is emptied, because the program holds it open. A line that is written between
    the two is lost.
    """
    if not file.exists() or file.stat().st_size <= largest:
        return
    try:
        shutil.copyfile(file, file.with_name(f"{file.name}.1"))
    finally:
        os.truncate(file, 0)  # on a full disk too: what is lost there is old
