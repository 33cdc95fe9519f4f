"""The line to Jupiter and to a node: both clients are asynchronous, and who trades is not."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import aiohttp
from solana.rpc.async_api import AsyncClient

from strandline.model.errors import StrandlineError
from strandline.venues.config import VenueConfig
from strandline.venues.solana.jupiter import Jupiter
from strandline.venues.solana.node import Node

T = TypeVar("T")

_ANSWER_SECONDS: Final = 5.0


class Clients:
    """Runs what is asked on an event loop of its own; connections are opened when they are first needed."""

    def __init__(self, config: VenueConfig) -> None:
        if config.rpc_url is None:
            raise StrandlineError("there is no Solana node", "set STRANDLINE_SOLANA_RPC_URL")
        self._config = config
        self._rpc_url = config.rpc_url
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
        return await ask(Jupiter(session, self._config.url, self._config.api_key), Node(client))

    @staticmethod
    async def _shut(session: aiohttp.ClientSession, client: AsyncClient) -> None:
        await session.close()
        await client.close()
