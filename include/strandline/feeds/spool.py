"""Keeps ticks in files while the database is away: within bounds, in order, and there after the process is killed."""

import fcntl
import logging
import os
import struct
from collections import deque
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

from strandline.venues.packed_ticks import PackedTicks, join

_log = logging.getLogger(__name__)
_MAX_BYTES: Final = 2**30
"""Some 26 million ticks."""
_SUFFIX: Final = ".packed"
_HEADER: Final = struct.Struct("!II")  # checksum, ticks


class _File(NamedTuple):
    path: Path
    ticks: int
    size: int


class Spool:
    """One file for each batch, removed when the batch is committed; one process at a time uses the folder.

    What was appended survives the process. A batch that was being written when it was killed, or that the disk lost, is
    thrown away and counted.
    """

    def __init__(self, folder: Path, max_bytes: int = _MAX_BYTES) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._lock: int | None = None
        self._files: deque[_File] = deque()
        self._next = 0
        self.torn = 0
        """Batches that could not be read back."""

    @property
    def ticks(self) -> int:
        """How many wait here."""
        return sum(file.ticks for file in self._files) if self._open() else 0

    def append(self, ticks: PackedTicks) -> bool:
        """Write a batch; returns False if there is no room, or the disk refuses."""
        body = ticks.tobytes()
        size = _HEADER.size + len(body)
        if not self._open() or sum(file.size for file in self._files) + size > self._max_bytes:
            return False
        path = self._folder / f"{self._next:012}{_SUFFIX}"
        try:
            path.write_bytes(_HEADER.pack(crc32(body), len(ticks)) + body)
        except OSError as error:
            _log.error("ticks cannot be kept in %s: %s", self._folder, error)
            path.unlink(missing_ok=True)
            return False
        self._next += 1
        self._files.append(_File(path, len(ticks), size))
        return True

    def first(self) -> PackedTicks:
        """Read the oldest batch that is whole; an empty array if there is none."""
        while self._open() and self._files:
            data = self._files[0].path.read_bytes()
            body = data[_HEADER.size :]
            if len(data) >= _HEADER.size and _HEADER.unpack_from(data)[0] == crc32(body):
                return join([body])
            self.torn += 1
            self.remove_first()
        return join([])

    def remove_first(self) -> None:
        """Remove the oldest batch."""
        self._files.popleft().path.unlink()

    def close(self) -> None:
        """Leave the folder to the next process."""
        if self._lock is not None:
            os.close(self._lock)
        self._lock = None
        self._files.clear()

    def _open(self) -> bool:
        """Take the folder over, unless another process has it still."""
        if self._lock is None:
            try:
                self._lock = _locked(self._folder)
            except OSError:
                return False
            self._files.extend(_describe(path) for path in sorted(self._folder.glob(f"*{_SUFFIX}")))
            self._next = int(self._files[-1].path.stem) + 1 if self._files else 0
        return True


def _locked(folder: Path) -> int:
    """Lock the folder, which is made if it is not there; raises OSError if another process has it."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise
    return lock


def _describe(path: Path) -> _File:
    data = path.read_bytes()[: _HEADER.size]
    ticks = _HEADER.unpack(data)[1] if len(data) == _HEADER.size else 0
    return _File(path, ticks, path.stat().st_size)
