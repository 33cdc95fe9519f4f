"""Holds the messages that could not be understood until they are written, within bounds of bytes and of rate."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from strandline.store.connect_async import Connection
from strandline.venues.feed import QuarantinedMessage

_PAYLOAD_BYTES: Final = 2048
_REASON_LENGTH: Final = 300
_PER_SECOND: Final = 1.0
_KEPT_DAYS: Final = 30
_KEPT_MESSAGES: Final = 50_000


class Quarantine:
    """Keeps the beginning of each message; of a flood the first `burst`, then one a second."""

    def __init__(self, clock: Callable[[], datetime], burst: int) -> None:
        self._clock = clock
        self._burst = burst
        self._allowed = float(burst)
        self._allowed_at = clock()
        self._messages: list[QuarantinedMessage] = []

    def add(self, message: QuarantinedMessage) -> bool:
        """Keep the message unless there were too many; returns whether it is kept."""
        now = self._clock()
        gained = max(0.0, (now - self._allowed_at).total_seconds()) * _PER_SECOND
        self._allowed, self._allowed_at = min(self._burst, self._allowed + gained), now
        if self._allowed < 1 or len(self._messages) >= self._burst:
            return False
        self._allowed -= 1
        beginning = message._replace(payload=message.payload[:_PAYLOAD_BYTES], reason=message.reason[:_REASON_LENGTH])
        self._messages.append(beginning)
        return True

    def drain(self) -> list[QuarantinedMessage]:
        """Take out everything."""
        messages, self._messages = self._messages, []
        return messages


async def delete_old_messages(connection: Connection, now: datetime) -> None:
    """Delete the messages that are too old, and the oldest of too many."""
    await connection.execute(
        """
        DELETE FROM quarantined_messages
        WHERE received_at < $1 OR message_id <= (SELECT max(message_id) FROM quarantined_messages) - $2
        """,
        now - timedelta(days=_KEPT_DAYS),
        _KEPT_MESSAGES,
    )
