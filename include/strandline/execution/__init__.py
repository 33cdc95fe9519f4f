"""Executes intents: claims them, stores orders before sending them, recovers orders in doubt, books the results."""

from strandline.execution.account_sync import sync_account
from strandline.execution.driver import VenueRun, execute_venue
from strandline.execution.halts import OrderedHalt, read_halt
from strandline.execution.intent_history import FilledIntent, ended_exits, filled_intents
from strandline.execution.intents import OutboxIntent, read, read_open
from strandline.execution.skipping import cancel, skip, skip_expired, skip_unknown_venues
from strandline.execution.venues_with_work import venues_with_work

__all__ = [
    "FilledIntent",
    "OrderedHalt",
    "OutboxIntent",
    "VenueRun",
    "cancel",
    "ended_exits",
    "execute_venue",
    "filled_intents",
    "read",
    "read_halt",
    "read_open",
    "skip",
    "skip_expired",
    "skip_unknown_venues",
    "sync_account",
    "venues_with_work",
]
