"""Faults between a client and a server, over a real connection."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web

from strandline_sim.clock import SteppedClock
from strandline_sim.faults import FaultKind, Faults, Rule
from strandline_sim.web import fault_middleware, json_response


class CountingServer:
    """A server that counts the requests that reach it."""

    def __init__(self, *rules: Rule) -> None:
        self.clock = SteppedClock(0)
        self.faults = Faults(rules)
        self.requests = 0

    async def handle(self, request: web.Request) -> web.Response:
        self.requests += 1
        return json_response({"requests": self.requests})

    def app(self) -> web.Application:
        app = web.Application(
            middlewares=[fault_middleware(self.faults, self.clock, lambda request, _: request.path[1:])]
        )
        app.router.add_post("/order", self.handle)
        return app


Send = Callable[[], Awaitable[tuple[int, bytes]]]


def run(server: CountingServer, client: Callable[[Send], Awaitable[object]]) -> object:
    """Serve on this machine, and run a client."""

    async def serve() -> object:
        runner = web.AppRunner(server.app())
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        async with aiohttp.ClientSession() as session:

            async def send() -> tuple[int, bytes]:
                async with session.post(f"http://127.0.0.1:{port}/order", data=b"{}") as answer:
                    return answer.status, await answer.read()

            try:
                return await client(send)
            finally:
                await session.close()
                await runner.cleanup()

    return asyncio.run(serve())


async def send_one(send: Send) -> object:
    """Send one request; return the response, or the name of the error."""
    try:
        return await send()
    except aiohttp.ClientError as error:
        return type(error).__name__


def hit(kind: FaultKind, value: float = 0) -> CountingServer:
    """Make a server with a fault at the first request."""
    return CountingServer(Rule(route="order", kind=kind, value=value))


@pytest.mark.parametrize("kind", [FaultKind.REFUSE, FaultKind.DROP_REQUEST, FaultKind.DOWN])
def test_a_lost_request(kind: FaultKind) -> None:
    server = hit(kind)
    assert run(server, send_one) == "ServerDisconnectedError"
    assert server.requests == 0


def test_a_lost_response() -> None:
    server = hit(FaultKind.DROP_ANSWER)
    assert run(server, send_one) == "ServerDisconnectedError"
    assert server.requests == 1


def test_a_request_delivered_twice() -> None:
    server = hit(FaultKind.ANSWER_TWICE)
    assert run(server, send_one) == (200, b'{"requests":2}')


@pytest.mark.parametrize(("kind", "requests"), [(FaultKind.STATUS, 0), (FaultKind.STATUS_AFTER, 1)])
@pytest.mark.parametrize("status", [429, 502])
def test_a_status_before_or_after_the_request_is_handled(kind: FaultKind, requests: int, status: int) -> None:
    server = hit(kind, status)
    answer = run(server, send_one)
    assert isinstance(answer, tuple)
    assert answer[0] == status
    assert (answer[1] == b"null") is (status == 429)
    assert server.requests == requests


def test_a_malformed_response_is_not_json() -> None:
    server = hit(FaultKind.MALFORMED)
    answer = run(server, send_one)
    assert isinstance(answer, tuple)
    with pytest.raises(json.JSONDecodeError):
        json.loads(answer[1])
    assert server.requests == 1


def test_a_delay_is_in_simulated_time() -> None:
    server = hit(FaultKind.DELAY, 500)

    async def client(send: Send) -> bool:
        task = asyncio.ensure_future(send())
        while not server.faults.journal:
            await asyncio.sleep(0.005)
        await server.clock.step(499)
        await asyncio.sleep(0.02)
        early = task.done()
        await server.clock.step(1)
        await task
        return early

    assert run(server, client) is False
    assert server.requests == 1


def test_two_requests_are_reordered() -> None:
    server = hit(FaultKind.REORDER)

    async def client(send: Send) -> list[tuple[int, bytes]]:
        first = asyncio.ensure_future(send())
        while not server.faults.journal:
            await asyncio.sleep(0.005)
        return [await send(), await first]

    assert run(server, client) == [(200, b'{"requests":1}'), (200, b'{"requests":2}')]
