"""The tape: a log of everything that the venues did, in order, to compare clients' books with."""

from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from strandline.model.canonical import canonical_bytes


class Entry(NamedTuple):
    """An event; `data` is JSON, with amounts as text."""

    number: int
    at: int
    venue: str
    kind: str
    data: dict[str, Any]

    def line(self) -> bytes:
        """Encode as a line of canonical JSON: the same run gives the same bytes."""
        return canonical_bytes(self._asdict()) + b"\n"


class Tape:
    """An append-only log in memory and, if given, in a file."""

    def __init__(self, file: BinaryIO | None = None) -> None:
        self._entries: list[Entry] = []
        self._file = file

    def append(self, at: int, venue: str, kind: str, data: dict[str, Any]) -> Entry:
        """Append an event."""
        entry = Entry(len(self._entries) + 1, at, venue, kind, data)
        self._entries.append(entry)
        if self._file is not None:
            self._file.write(entry.line())
            self._file.flush()
        return entry

    def entries(self, *, venue: str | None = None, kind: str | None = None, after: int = 0) -> Iterator[Entry]:
        """Yield the entries after number `after`, of this venue and kind if given."""
        for entry in self._entries[after:]:
            if (venue is None or entry.venue == venue) and (kind is None or entry.kind == kind):
                yield entry

    def __len__(self) -> int:
        return len(self._entries)

    def __bytes__(self) -> bytes:
        return b"".join(entry.line() for entry in self._entries)
