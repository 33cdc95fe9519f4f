"""Reads the body of a response, within a limit."""

from typing import TYPE_CHECKING, Final

from strandline.venues.feed import FeedError

if TYPE_CHECKING:
    import aiohttp

_LARGEST: Final = 8 * 2**20
_BLOCK: Final = 1 << 16


async def read_body(response: "aiohttp.ClientResponse", largest: int = _LARGEST) -> bytes:
    """Read it whole; raise `FeedError` if it is larger than any that makes sense."""
    body = bytearray()
    async for block in response.content.iter_chunked(_BLOCK):
        body += block
        if len(body) > largest:
            response.close()
            raise FeedError(f"{response.url.host} answers with more than {largest} bytes to {response.url.path}")
    return bytes(body)
