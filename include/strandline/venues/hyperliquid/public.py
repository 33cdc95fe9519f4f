"""Requests public data from Hyperliquid's `/info`."""

from collections.abc import Mapping
from typing import Any, Final

from strandline.venues.feed import FeedError
from strandline.venues.http_body import read_body
from strandline.venues.http_client import load_http_client

_TIMEOUT_SECONDS: Final = 20


async def request(url: str, query: Mapping[str, Any]) -> bytes:
    """Return the response as received; raise `FeedError`."""
    await load_http_client()
    import aiohttp

    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)) as session,
            session.post(f"{url.rstrip('/')}/info", json=query) as response,
        ):
            body = await read_body(response)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise FeedError(f"Hyperliquid cannot be reached for {query['type']}: {error!r}") from error
    if response.status != 200:
        raise FeedError(f"Hyperliquid answers {response.status} to {query['type']}")
    return body
