"""What must survive a power cut."""

import os
from pathlib import Path


def sync_file(file: Path) -> None:
    """Return when what was written to the file is on the disk."""
    _sync(file, os.O_RDONLY)


def sync_directory(directory: Path) -> None:
    """Return when the names in the directory are on the disk."""
    _sync(directory, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    number = os.open(path, flags)
    try:
        os.fsync(number)
    finally:
        os.close(number)
