"""Imports the HTTP client beside the event loop."""

import asyncio
from importlib import import_module


async def load_http_client() -> None:
    """Import aiohttp in a thread: it takes long, and a socket that has just been opened must be heard meanwhile."""
    await asyncio.to_thread(import_module, "aiohttp")
