"""Asks Hyperliquid what needs no account."""

from collections.abc import Mapping
from typing import Any, Final

import aiohttp

from strandline.venues.feed import FeedError

_PATIENCE: Final = aiohttp.ClientTimeout(total=20)


async def ask(url: str, request: Mapping[str, Any]) -> bytes:
    """The answer of `/info` as it came; raises `FeedError`."""
    try:
        async with (
            aiohttp.ClientSession(timeout=_PATIENCE) as session,
            session.post(f"{url.rstrip('/')}/info", json=request) as answer,
        ):
            body = await answer.read()
    except (aiohttp.ClientError, TimeoutError) as error:
        raise FeedError(f"Hyperliquid cannot be asked for {request['type']}: {error!r}") from error
    if answer.status != 200:
        raise FeedError(f"Hyperliquid answers {answer.status} to {request['type']}")
    return body
