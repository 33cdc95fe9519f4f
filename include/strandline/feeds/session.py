"""A database session that comes back when it is lost."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from asyncpg.exceptions import InterfaceError, PostgresError  # type: ignore[import-untyped]

from strandline.store.connect_async import Connection
from strandline.venues.backoff import pauses

_log = logging.getLogger(__name__)
_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 10.0
_GOODBYE_SECONDS: Final = 2.0
_Result = TypeVar("_Result")


class Session:
    """One connection at a time, opened when it is needed."""

    def __init__(self, open_connection: Callable[[], Awaitable[Connection]]) -> None:
        self._open = open_connection
        self._connection: Connection | None = None

    async def do(self, work: Callable[[Connection, bool], Awaitable[_Result]]) -> _Result:
        """Try until the database has done it. The work is told whether it is tried for the first time: after that an
        earlier attempt may have been committed, although nobody heard of it.
        """
        first_time = True
        for pause in pauses(_FIRST_PAUSE, _LONGEST_PAUSE):
            try:
                return await work(await self._connected(), first_time)
            except (OSError, InterfaceError, PostgresError) as error:
                self._drop()
                first_time = False
                _log.warning("the database does not serve (%s); strandline doctor tells what is missing", _told(error))
                await asyncio.sleep(pause)
        raise AssertionError("the pauses never end")

    async def close(self) -> None:
        """For good; a server that does not answer is left without a word."""
        if self._connection is not None:
            with contextlib.suppress(OSError, InterfaceError, PostgresError):
                await self._connection.close(timeout=_GOODBYE_SECONDS)

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._open()
        return self._connection

    def _drop(self) -> None:
        """It may be in the middle of something: nothing more is said on it."""
        if self._connection is not None:
            self._connection.terminate()
        self._connection = None


def _told(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
