"""Jupiter's gateway: API keys, and rate limits over a sliding minute."""

import math
from collections import deque
from collections.abc import Mapping
from typing import Final, NamedTuple

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from strandline_sim.clock import Clock
from strandline_sim.web import json_response

_WINDOW_MS: Final = 60_000
_TOO_MANY: Final = "[API Gateway] Too many requests"


class Plans(NamedTuple):
    """Requests per second by API key, and without a key; None is no limit."""

    keys: Mapping[str, float | None] = {}
    keyless: float | None = 0.5


class Gateway:
    """Counts the requests of the last minute."""

    def __init__(self, plans: Plans, clock: Clock) -> None:
        self._plans = plans
        self._clock = clock
        self._requests: dict[str | None, deque[int]] = {}
        self._count = 0

    def middleware(self) -> Middleware:
        """Make the middleware that refuses unknown keys and too many requests."""

        @web.middleware
        async def limit_requests(request: web.Request, handler: Handler) -> web.StreamResponse:
            self._count += 1
            key = request.headers.get("x-api-key")
            if key is not None and key not in self._plans.keys:
                return self._with_headers(json_response({"code": 401, "message": "Unauthorized"}, 401), {})
            headers = self._headers(key)
            if int(headers.get("x-ratelimit-remaining", "0")) < 0:
                return self._with_headers(web.Response(text=_TOO_MANY, status=429), headers)
            answer = await handler(request)
            if answer.status == 429:  # an injected fault: the gateway responds with text
                answer = web.Response(text=_TOO_MANY, status=429)
            return self._with_headers(answer, headers)

        return limit_requests

    def _headers(self, key: str | None) -> dict[str, str]:
        """Count a request, and return the headers of the rate limit; empty if there is none."""
        rate = self._plans.keyless if key is None else self._plans.keys[key]
        if rate is None:
            return {}
        now = self._clock.now()
        requests = self._requests.setdefault(key, deque())
        while requests and requests[0] <= now - _WINDOW_MS:
            requests.popleft()
        limit = int(rate * _WINDOW_MS / 1000)
        remaining = limit - len(requests) - 1
        if remaining >= 0:
            requests.append(now)
        free = (requests[0] if requests else now) + _WINDOW_MS
        return {
            "x-ratelimit-remaining": str(remaining),
            "x-ratelimit-current": str(len(requests)),
            "x-ratelimit-reset": str(math.ceil(free / 1000)),
        }

    def _with_headers(self, answer: web.StreamResponse, headers: Mapping[str, str]) -> web.StreamResponse:
        answer.headers.update({**headers, "x-api-gateway-request-id": f"{self._count:032x}"})
        return answer
