"""Log files of bounded size, written by programs that know nothing of it."""

import os
import shutil
from pathlib import Path
from typing import IO, Final

_LARGEST: Final = 10 * 1024 * 1024
_BACKUPS: Final = 3


def open_log(file: Path) -> IO[bytes]:
    """Open for appending: a program that writes like this goes on at the start after its log was emptied."""
    return file.open("ab")


def rotate_if_large(file: Path, largest: int = _LARGEST) -> None:
    """Move what a log holds to NAME.1, and older contents to NAME.2 and NAME.3; the oldest is dropped.

    The contents are copied and the file is emptied, because the program holds it open. A line that is written between
    the two is lost.
    """
    if not file.exists() or file.stat().st_size <= largest:
        return
    for number in range(_BACKUPS - 1, 0, -1):
        older = file.with_name(f"{file.name}.{number}")
        if older.exists():
            older.replace(file.with_name(f"{file.name}.{number + 1}"))
    try:
        shutil.copyfile(file, file.with_name(f"{file.name}.1"))
    finally:
        os.truncate(file, 0)  # on a full disk too: what is lost there is old
