"""Instants as whole microseconds since 1970: exact, and at thousands a second much cheaper than `datetime`."""

from datetime import UTC, datetime, timedelta
from typing import Final

MICROSECONDS_A_MINUTE: Final = 60_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def microseconds(instant: datetime) -> int:
    """Convert an instant."""
    return (instant - _EPOCH) // _MICROSECOND


def from_microseconds(number: int) -> datetime:
    """Convert it back."""
    return _EPOCH + timedelta(microseconds=number)
