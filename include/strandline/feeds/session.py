"""A database session that reconnects and retries."""

import asyncio
import contextlib
import logging
import math
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from strandline.store.connect_async import DATABASE_ERRORS, Connection
from strandline.venues.backoff import pauses

_log = logging.getLogger(__name__)
_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 10.0
_CLOSE_TIMEOUT: Final = 2.0
_Result = TypeVar("_Result")


class Session:
    """One connection at a time, opened on first use and again after an error."""

    def __init__(self, open_connection: Callable[[], Awaitable[Connection]]) -> None:
        self._open = open_connection
        self._connection: Connection | None = None

    async def run(self, work: Callable[[Connection], Awaitable[_Result]]) -> _Result:
        """Call `work` until the database has done it.

        `work` must be idempotent: an earlier attempt may have been committed although its confirmation was lost.
        """
        loop = asyncio.get_running_loop()
        waits = pauses(_FIRST_PAUSE, _LONGEST_PAUSE)
        while True:
            connected_at = math.inf
            try:
                connection = await self._connected()
                connected_at = loop.time()
                return await work(connection)
            except DATABASE_ERRORS as error:
                self._drop()
                _log.warning("the database failed (%s), trying again; strandline doctor shows why", _message(error))
                if loop.time() - connected_at > _LONGEST_PAUSE:
                    # Work that lasts, such as listening, was well for that long.
                    waits = pauses(_FIRST_PAUSE, _LONGEST_PAUSE)
                await asyncio.sleep(next(waits))

    async def close(self) -> None:
        """Close the connection; a server that does not answer in time is abandoned."""
        if self._connection is not None:
            with contextlib.suppress(*DATABASE_ERRORS):
                await self._connection.close(timeout=_CLOSE_TIMEOUT)

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._open()
        return self._connection

    def _drop(self) -> None:
        """Cut the connection without a goodbye: it may be in the middle of a command."""
        if self._connection is not None:
            self._connection.terminate()
        self._connection = None


def _message(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
