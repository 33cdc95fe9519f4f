"""How much a finding blocks."""

from enum import StrEnum


class Severity(StrEnum):
    """What a finding blocks: nothing, entries, or everything but exits; the same labels as in the database."""

    WARN = "warn"
    BLOCK_ENTRIES = "block_entries"
    BLOCK_ALL = "block_all"
