"""Faults between a client and a venue, over a real connection."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web

from strandline_sim.clock import SteppedClock
from strandline_sim.faults import FaultKind, Faults, Rule
from strandline_sim.web import fault_middleware, json_response


class Counter:
    """A venue that counts what reaches it."""

    def __init__(self, *rules: Rule) -> None:
        self.clock = SteppedClock(0)
        self.faults = Faults(rules)
        self.seen = 0

    async def handle(self, request: web.Request) -> web.Response:
        self.seen += 1
        return json_response({"seen": self.seen})

    def app(self) -> web.Application:
        app = web.Application(
            middlewares=[fault_middleware(self.faults, self.clock, lambda request, _: request.path[1:])]
        )
        app.router.add_post("/order", self.handle)
        return app


Ask = Callable[[], Awaitable[tuple[int, bytes]]]


def run(counter: Counter, talk: Callable[[Ask], Awaitable[object]]) -> object:
    """Serve the venue on this machine and talk to it."""

    async def serve() -> object:
        runner = web.AppRunner(counter.app())
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        async with aiohttp.ClientSession() as session:

            async def ask() -> tuple[int, bytes]:
                async with session.post(f"http://127.0.0.1:{port}/order", data=b"{}") as answer:
                    return answer.status, await answer.read()

            try:
                return await talk(ask)
            finally:
                await session.close()
                await runner.cleanup()

    return asyncio.run(serve())


async def one(ask: Ask) -> object:
    """One request: its answer, or what went wrong."""
    try:
        return await ask()
    except aiohttp.ClientError as error:
        return type(error).__name__


def hit(kind: FaultKind, value: float = 0) -> Counter:
    """A venue whose first request goes wrong."""
    return Counter(Rule(route="order", kind=kind, value=value))


@pytest.mark.parametrize("kind", [FaultKind.REFUSE, FaultKind.DROP_REQUEST, FaultKind.DOWN])
def test_a_request_that_never_arrives(kind: FaultKind) -> None:
    counter = hit(kind)
    assert run(counter, one) == "ServerDisconnectedError"
    assert counter.seen == 0


def test_an_answer_that_never_arrives() -> None:
    counter = hit(FaultKind.DROP_ANSWER)
    assert run(counter, one) == "ServerDisconnectedError"
    assert counter.seen == 1


def test_a_request_that_is_delivered_twice() -> None:
    counter = hit(FaultKind.ANSWER_TWICE)
    assert run(counter, one) == (200, b'{"seen":2}')


@pytest.mark.parametrize(("kind", "seen"), [(FaultKind.STATUS, 0), (FaultKind.STATUS_AFTER, 1)])
@pytest.mark.parametrize("status", [429, 502])
def test_a_status_before_or_after_the_venue_acted(kind: FaultKind, seen: int, status: int) -> None:
    counter = hit(kind, status)
    answer = run(counter, one)
    assert isinstance(answer, tuple)
    assert answer[0] == status
    assert (answer[1] == b"null") is (status == 429)
    assert counter.seen == seen


def test_an_answer_that_is_cut_is_no_json() -> None:
    counter = hit(FaultKind.MALFORMED)
    answer = run(counter, one)
    assert isinstance(answer, tuple)
    with pytest.raises(json.JSONDecodeError):
        json.loads(answer[1])
    assert counter.seen == 1


def test_a_delay_lasts_as_long_as_the_clock_says() -> None:
    counter = hit(FaultKind.DELAY, 500)

    async def talk(ask: Ask) -> bool:
        task = asyncio.ensure_future(ask())
        while not counter.faults.journal:
            await asyncio.sleep(0.005)
        await counter.clock.step(499)
        await asyncio.sleep(0.02)
        early = task.done()
        await counter.clock.step(1)
        await task
        return early

    assert run(counter, talk) is False
    assert counter.seen == 1


def test_two_requests_change_places() -> None:
    counter = hit(FaultKind.REORDER)

    async def talk(ask: Ask) -> list[tuple[int, bytes]]:
        first = asyncio.ensure_future(ask())
        while not counter.faults.journal:
            await asyncio.sleep(0.005)
        return [await ask(), await first]

    assert run(counter, talk) == [(200, b'{"seen":1}'), (200, b'{"seen":2}')]
