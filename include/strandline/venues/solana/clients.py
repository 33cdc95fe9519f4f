"""Runs the asynchronous clients of Jupiter and of a node for synchronous callers."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import aiohttp
from solana.rpc.async_api import AsyncClient

from strandline.venues.config import VenueConfig
from strandline.venues.solana.jupiter import Jupiter
from strandline.venues.solana.node import Node
from strandline.venues.solana.settings import JUPITER_API_KEY, JUPITER_URL, RPC_URL

T = TypeVar("T")

_REQUEST_SECONDS: Final = 5.0


class Clients:
    """Has its own event loop, and opens connections when they are first needed."""

    def __init__(self, config: VenueConfig) -> None:
        self._rpc_url = config.require(RPC_URL.name)
        self._jupiter_url = config.require(JUPITER_URL.name)
        self._jupiter_api_key = config.get(JUPITER_API_KEY.name)
        self._runner = asyncio.Runner()
        self._open: tuple[aiohttp.ClientSession, AsyncClient] | None = None

    def run(self, work: Callable[[Jupiter, Node], Awaitable[T]]) -> T:
        """Run a coroutine to its end."""
        return self._runner.run(self._with_clients(work))

    def close(self) -> None:
        """Close connections."""
        if self._open is not None:
            self._runner.run(self._close_clients(*self._open))
            self._open = None
        self._runner.close()

    async def _with_clients(self, work: Callable[[Jupiter, Node], Awaitable[T]]) -> T:
        if self._open is None:
            session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_REQUEST_SECONDS))
            self._open = session, AsyncClient(self._rpc_url, timeout=_REQUEST_SECONDS)
        session, client = self._open
        return await work(Jupiter(session, self._jupiter_url, self._jupiter_api_key), Node(client))

    @staticmethod
    async def _close_clients(session: aiohttp.ClientSession, client: AsyncClient) -> None:
        await session.close()
        await client.close()
