"""The body of a response is read up to a limit."""

import asyncio

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from strandline.venues.feed import FeedError
from strandline.venues.http_body import read_body


def test_a_body_is_read_whole_or_refused_before_it_is() -> None:
    sent = 0

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(int(request.query["blocks"])):
            await response.write(b"x" * 65536)
            sent += 65536
        return response

    async def inside() -> None:
        app = web.Application()
        app.router.add_get("/", answer)
        async with TestServer(app) as server, aiohttp.ClientSession() as session:
            async with session.get(server.make_url("/"), params={"blocks": 10}) as response:
                assert len(await read_body(response)) == 655_360
            with pytest.raises(FeedError, match="more than 1000000 bytes"):
                async with session.get(server.make_url("/"), params={"blocks": 10_000}) as response:
                    await read_body(response, largest=1_000_000)
            assert sent < 100 * 2**20

    asyncio.run(inside())
