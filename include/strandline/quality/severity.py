"""How much a finding blocks."""

from enum import StrEnum


class Severity(StrEnum):
    """From nothing, over entries, to everything but exits. The same words as in the schema."""

    WARN = "warn"
    BLOCK_ENTRIES = "block_entries"
    BLOCK_ALL = "block_all"
