"""The list of archived files: one line of JSON for each, only ever added to."""

import os
from datetime import date, datetime
from pathlib import Path
from typing import Final

import msgspec

from strandline.model.errors import StrandlineError
from strandline.retention.content import Content
from strandline.retention.durable import sync_directory

MANIFEST: Final = "manifest.jsonl"


class ArchivedFile(msgspec.Struct, frozen=True):
    """A file with all ticks that a day had when it was written; `instruments` counts the rows of each number."""

    day: date
    file: str
    rows: int
    first_ts: datetime
    last_ts: datetime
    bytes: int
    sha256: str
    content_hash: str
    instruments: dict[int, int]

    @property
    def content(self) -> Content:
        """What the file contains."""
        return Content(self.rows, self.content_hash)


def read_manifest(directory: Path) -> list[ArchivedFile]:
    """The files in the order in which they were written, each once, as its last line says.

    A last line that does not end is that of a process that was killed while it wrote it: such a file does not count.
    """
    try:
        lines = (directory / MANIFEST).read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    files: dict[str, ArchivedFile] = {}
    for number, line in enumerate(lines, start=1):
        try:
            entry = msgspec.json.decode(line, type=ArchivedFile)
        except msgspec.MsgspecError as error:
            raise StrandlineError(
                f"{directory / MANIFEST} line {number} cannot be read ({error})",
                "restore the file from a copy; no day is dropped or restored until then",
            ) from None
        files[entry.file] = entry
    return list(files.values())


def append(directory: Path, entry: ArchivedFile) -> None:
    """Add the line, and return when it is on the disk; the rest of a line that was not finished is cut off."""
    with (directory / MANIFEST).open("ab+") as file:
        file.seek(0)
        written = file.read()
        file.truncate(written.rfind(b"\n") + 1)
        file.write(msgspec.json.encode(entry) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    sync_directory(directory)
