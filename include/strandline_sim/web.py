"""What the simulated venues' HTTP servers share: faults between the client and the venue, and JSON."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from aiohttp import web
from aiohttp.typedefs import Middleware

from strandline_sim.clock import Clock
from strandline_sim.faults import FaultKind, Faults, Rule

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
RouteOf = Callable[[web.Request, bytes], str]

_BEFORE: Final = (FaultKind.DOWN, FaultKind.REFUSE, FaultKind.DROP_REQUEST, FaultKind.STATUS, FaultKind.DELAY)
_AFTER: Final = (FaultKind.DROP_ANSWER, FaultKind.STATUS_AFTER, FaultKind.MALFORMED, FaultKind.ANSWER_TWICE)


def json_response(data: object, status: int = 200) -> web.Response:
    """A JSON answer; `data` may be anything that msgspec writes."""
    return web.Response(body=msgspec.json.encode(data), status=status, content_type="application/json")


def fault_middleware(faults: Faults, clock: Clock, route_of: RouteOf) -> Middleware:
    """Faults that need no knowledge of the venue: the request never arrives, or the answer never does.

    A venue's own faults (partial fills, forks, …) are asked for by the venue.
    """
    turn = asyncio.Event()

    @web.middleware
    async def meddle(request: web.Request, handler: Handler) -> web.StreamResponse:
        route = route_of(request, await request.read())
        before = faults.on(route, clock.now(), _BEFORE)
        if before is not None:
            refused = await _before(before, request, clock)
            if refused is not None:
                return refused
        if faults.on(route, clock.now(), (FaultKind.REORDER,)) is not None:
            turn.clear()
            await turn.wait()  # until the next request has been answered
        after = faults.on(route, clock.now(), _AFTER)
        answer = await handler(request)
        if after is not None and after.kind is FaultKind.ANSWER_TWICE:
            answer = await handler(request)  # delivered twice: the venue sees it twice, the client its second answer
        turn.set()
        return answer if after is None else _after(after, request, answer)

    return meddle


async def _before(rule: Rule, request: web.Request, clock: Clock) -> web.StreamResponse | None:
    if rule.kind is FaultKind.DELAY:
        await clock.wait_until(clock.now() + int(rule.value))
        return None
    if rule.kind is FaultKind.STATUS:
        return _status(int(rule.value))
    return _hang_up(request)


def _after(rule: Rule, request: web.Request, answer: web.StreamResponse) -> web.StreamResponse:
    if rule.kind is FaultKind.DROP_ANSWER:
        return _hang_up(request)
    if rule.kind is FaultKind.STATUS_AFTER:
        return _status(int(rule.value))
    if rule.kind is FaultKind.MALFORMED and isinstance(answer, web.Response) and isinstance(answer.body, bytes):
        return web.Response(body=answer.body[: len(answer.body) // 2], content_type="application/json")
    return answer


def _status(status: int) -> web.Response:
    """As the venues do: 429 with the body `null`, a gateway's page otherwise."""
    if status == 429:
        return json_response(None, 429)
    return web.Response(text=f"<html><body>{status}</body></html>", status=status, content_type="text/html")


def _hang_up(request: web.Request) -> web.Response:
    """Cut the connection: to the client the request's fate is unknown."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
