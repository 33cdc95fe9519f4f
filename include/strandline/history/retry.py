"""Repeats work until venue and database succeed."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import islice
from typing import Final, TypeVar

from asyncpg.exceptions import DeadlockDetectedError, SerializationError  # type: ignore[import-untyped]

from strandline.store.connect_async import DATABASE_ERRORS, Connection
from strandline.venues.backoff import pauses
from strandline.venues.feed import FeedError

_log = logging.getLogger(__name__)
_CLOSE_TIMEOUT: Final = 2.0
_FIRST_CONFLICT_PAUSE: Final = 0.2
_CONFLICTS: Final = 8
_Result = TypeVar("_Result")

OpenConnection = Callable[[], Awaitable[Connection]]


async def retry(open_connection: OpenConnection, work: Callable[[Connection], Awaitable[_Result]]) -> _Result:
    """Do the work with a connection of its own, again after growing pauses; doing it twice must be harmless."""
    for pause in pauses():
        try:
            async with _connected(open_connection) as connection:
                return await work(connection)
        except (FeedError, *DATABASE_ERRORS) as error:
            _log.warning("history cannot be loaded now: %r", error)
            await asyncio.sleep(pause)
    raise AssertionError("the pauses never end")


async def retry_conflicts(work: Callable[[], Awaitable[_Result]]) -> _Result:
    """Do the work again when its transaction was chosen to end a deadlock, or could not be serialized.

    It waited for rows that the sidecar had not committed yet, while the sidecar waited for rows of it. The sidecar does
    not store in the order of the key, so that no order here excludes it.
    """
    for pause in islice(pauses(_FIRST_CONFLICT_PAUSE), _CONFLICTS):
        try:
            return await work()
        except (DeadlockDetectedError, SerializationError) as error:
            _log.warning("stored again after a conflict with another process: %s", error)
            await asyncio.sleep(pause)
    return await work()


@contextlib.asynccontextmanager
async def _connected(open_connection: OpenConnection) -> AsyncIterator[Connection]:
    """Open a connection and close it; that it was lost before it was closed changes nothing."""
    connection = await open_connection()
    try:
        yield connection
    finally:
        with contextlib.suppress(*DATABASE_ERRORS):
            await connection.close(timeout=_CLOSE_TIMEOUT)
