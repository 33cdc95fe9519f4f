"""The fastest that a client can be: binary COPY of rows that were packed before."""

import asyncio
import time
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import URL

from benchmarks.ingest.processes import CpuClock, backends
from strandline.store.connect_async import connect_async
from strandline.store.roles import Role


class Copied(NamedTuple):
    """The seconds that it took, and the CPU seconds of this process and of the server's."""

    seconds: float
    client: float
    server: float


def copy(url: URL, batches: Sequence[bytes]) -> Copied:
    """Commit batch after batch."""
    return asyncio.run(_copy(url, batches))


async def _copy(url: URL, batches: Sequence[bytes]) -> Copied:
    connection = await connect_async(url, Role.INGEST)
    of_server, before, began = CpuClock(backends(url)), time.process_time(), time.monotonic()
    for batch in batches:
        async with connection.transaction():
            await connection.copy_to_table("ticks", source=memoryview(batch), format="binary")
    seconds, used = time.monotonic() - began, time.process_time() - before
    server_used = of_server.seconds()
    await connection.close()
    return Copied(seconds, used, server_used)
