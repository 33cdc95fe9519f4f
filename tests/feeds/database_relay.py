"""A relay in front of the database that withholds the end of a connection.

A server that ends a session says so and then closes the connection; what a client does in between is a matter of
microseconds. Behind the relay the client stays in between until it closes the connection itself.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import URL

_BLOCK = 1 << 16
_GOODBYE = b"X\x00\x00\x00\x04"


@asynccontextmanager
async def database_relay(url: URL) -> AsyncIterator[URL]:
    """Yield the URL by which the database is reached through the relay."""

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_unix_connection(f"{url.query['host']}/.s.PGSQL.{url.port}")
        with contextlib.closing(writer), contextlib.closing(to_server), contextlib.suppress(OSError):
            answers = asyncio.create_task(_copy(from_server, writer))
            await _copy(reader, to_server)
            answers.cancel()

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield url.set(host="127.0.0.1", port=port).difference_update_query(["host"])


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while block := await reader.read(_BLOCK):
            writer.write(block)
            if block.endswith(_GOODBYE):
                return
