"""Shared parts of the venues' HTTP servers: their runner, JSON responses, and faults between client and venue."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar, overload

import msgspec
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Middleware

from strandline_sim.clock import Clock
from strandline_sim.faults import FaultKind, Faults, Rule

T = TypeVar("T")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
RouteOf = Callable[[web.Request, bytes], str]

_FAULTS_BEFORE: Final = (FaultKind.DOWN, FaultKind.REFUSE, FaultKind.DROP_REQUEST, FaultKind.STATUS, FaultKind.DELAY)
_FAULTS_AFTER: Final = (FaultKind.DROP_ANSWER, FaultKind.STATUS_AFTER, FaultKind.MALFORMED, FaultKind.ANSWER_TWICE)


_SHUTDOWN_SECONDS: Final = 1
_LOGGER: Final = logging.getLogger(__name__)


class MalformedJsonError(ValueError):
    """A body is not JSON, or not of the expected type."""


@overload
def decode_json(body: bytes | str) -> Any: ...  # noqa: ANN401  any JSON value
@overload
def decode_json(body: bytes | str, of_type: type[T]) -> T: ...
def decode_json(body: bytes | str, of_type: Any = Any) -> Any:
    """Decode JSON; raise MalformedJsonError, also for nesting without end and for wrong UTF-8."""
    try:
        return msgspec.json.decode(body, type=of_type)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise MalformedJsonError(str(error)) from None


def json_response(data: object, status: int = 200) -> web.Response:
    """Make a JSON response of anything that msgspec can encode."""
    return web.Response(body=msgspec.json.encode(data), status=status, content_type="application/json")


def runner_of(app: web.Application) -> web.AppRunner:
    """Make the runner of an application, which logs neither accesses nor a client's broken HTTP."""
    return web.AppRunner(app, access_log=None, logger=_LOGGER, shutdown_timeout=_SHUTDOWN_SECONDS)


def _is_own_error(record: logging.LogRecord) -> bool:
    error = None if record.exc_info is None else record.exc_info[1]
    return not isinstance(error, (HttpProcessingError, web.RequestPayloadError))


_LOGGER.addFilter(_is_own_error)


def fault_middleware(faults: Faults, clock: Clock, route_of: RouteOf) -> Middleware:
    """Make a middleware that injects the faults of the connection, before and after the venue handles a request.

    Faults within a venue (partial fills, forks, …) are injected by the venue.
    """
    next_handled = asyncio.Event()

    @web.middleware
    async def inject_faults(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            route = route_of(request, await request.read())
        except web.RequestPayloadError:  # not compressed as its header says
            return web.Response(status=400)
        before = faults.inject(route, clock.now(), _FAULTS_BEFORE)
        if before is not None:
            refused = await _inject_before(before, request, clock)
            if refused is not None:
                return refused
        if faults.inject(route, clock.now(), (FaultKind.REORDER,)) is not None:
            next_handled.clear()
            await next_handled.wait()
        after = faults.inject(route, clock.now(), _FAULTS_AFTER)
        answer = await handler(request)
        if after is not None and after.kind is FaultKind.ANSWER_TWICE:
            answer = await handler(request)  # the venue gets the request twice, the client the second answer
        next_handled.set()
        return answer if after is None else _inject_after(after, request, answer)

    return inject_faults


async def _inject_before(rule: Rule, request: web.Request, clock: Clock) -> web.StreamResponse | None:
    if rule.kind is FaultKind.DELAY:
        await clock.wait_until(clock.now() + int(rule.value))
        return None
    if rule.kind is FaultKind.STATUS:
        return _status(int(rule.value))
    return _drop_connection(request)


def _inject_after(rule: Rule, request: web.Request, answer: web.StreamResponse) -> web.StreamResponse:
    if rule.kind is FaultKind.DROP_ANSWER:
        return _drop_connection(request)
    if rule.kind is FaultKind.STATUS_AFTER:
        return _status(int(rule.value))
    if rule.kind is FaultKind.MALFORMED and isinstance(answer, web.Response) and isinstance(answer.body, bytes):
        return web.Response(body=answer.body[: len(answer.body) // 2], content_type="application/json")
    return answer


def _status(status: int) -> web.Response:
    """Make a response as venues do: `null` for 429, else a gateway's HTML page."""
    if status == 429:
        return json_response(None, 429)
    return web.Response(text=f"<html><body>{status}</body></html>", status=status, content_type="text/html")


def _drop_connection(request: web.Request) -> web.Response:
    """Cut the connection without a response."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
