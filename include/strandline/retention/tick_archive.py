"""The folder of archived ticks: its files and its manifest."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Final

from strandline.model.errors import StrandlineError
from strandline.retention import manifest
from strandline.retention.content import Content
from strandline.retention.durable import sync_directory
from strandline.retention.manifest import ArchivedFile
from strandline.retention.tick_file import DamagedFileError, verify

FOLDER: Final = "ticks"
_UNFINISHED: Final = ".unfinished"


class TickArchive:
    """Files are named by day and content, and never overwritten by other content: what was archived stays."""

    def __init__(self, archive_dir: Path) -> None:
        self.directory = archive_dir / FOLDER

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from writing here; the lock ends with this process, however it ends."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.directory / ".lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StrandlineError(
                    f"another process archives ticks to {self.directory}", "let it end, and run this again"
                ) from None
            for left in self.directory.glob(f"*{_UNFINISHED}"):
                left.unlink()
            yield

    def files(self) -> list[ArchivedFile]:
        """All files, in the order in which they were written."""
        return manifest.read_manifest(self.directory)

    def path(self, entry: ArchivedFile) -> Path:
        """Where the file is."""
        return self.directory / entry.file

    def holds(self, day: date, content: Content) -> ArchivedFile | None:
        """The sound file with exactly this content of the day, read again just now."""
        for entry in self.files():
            if (entry.day, entry.content) == (day, content):
                try:
                    verify(self.path(entry), entry)
                except DamagedFileError:
                    return None
                return entry
        return None

    def unfinished(self, day: date) -> Path:
        """Where a file is written before it has its name."""
        return self.directory / f"{day}{_UNFINISHED}"

    def publish(self, unfinished: Path, entry: ArchivedFile) -> None:
        """Give a verified file its name, then list it in the manifest."""
        unfinished.replace(self.path(entry))
        sync_directory(self.directory)
        manifest.append(self.directory, entry)
