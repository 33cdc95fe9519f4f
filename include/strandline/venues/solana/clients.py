"""The line to Jupiter and to a node: both clients are asynchronous, and who trades is not."""

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

_ANSWER_SECONDS: Final = 5.0


class Clients:
    """Runs what is asked on an event loop of its own; connections are opened when they are first needed."""

    def __init__(self, config: VenueConfig) -> None:
        self._rpc_url = config.require(RPC_URL.name)
        self._jupiter_url = config.require(JUPITER_URL.name)
        self._jupiter_api_key = config.get(JUPITER_API_KEY.name)
        self._runner = asyncio.Runner()
        self._open: tuple[aiohttp.ClientSession, AsyncClient] | None = None

    def run(self, ask: Callable[[Jupiter, Node], Awaitable[T]]) -> T:
        """Ask, and wait for the end of it."""
        return self._runner.run(self._ask(ask))

    def close(self) -> None:
        """Let go of connections."""
        if self._open is not None:
            self._runner.run(self._shut(*self._open))
            self._open = None
        self._runner.close()

    async def _ask(self, ask: Callable[[Jupiter, Node], Awaitable[T]]) -> T:
        if self._open is None:
            session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_ANSWER_SECONDS))
            self._open = session, AsyncClient(self._rpc_url, timeout=_ANSWER_SECONDS)
        session, client = self._open
        return await ask(Jupiter(session, self._jupiter_url, self._jupiter_api_key), Node(client))

    @staticmethod
    async def _shut(session: aiohttp.ClientSession, client: AsyncClient) -> None:
        await session.close()
        await client.close()
