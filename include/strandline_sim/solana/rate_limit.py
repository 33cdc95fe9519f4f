"""Jupiter's gateway: who may ask, and how often within a sliding minute."""

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
    """Requests a second of each API key, and of those without a key. None is no limit."""

    keys: Mapping[str, float | None] = {}
    keyless: float | None = 0.5


class Gateway:
    """Counts the requests of the last minute."""

    def __init__(self, plans: Plans, clock: Clock) -> None:
        self._plans = plans
        self._clock = clock
        self._asked: dict[str | None, deque[int]] = {}
        self._count = 0

    def middleware(self) -> Middleware:
        """Refuse who has no right or asks too often."""

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            self._count += 1
            key = request.headers.get("x-api-key")
            if key is not None and key not in self._plans.keys:
                return self._signed(json_response({"code": 401, "message": "Unauthorized"}, 401), {})
            headers = self._headers(key)
            if int(headers.get("x-ratelimit-remaining", "0")) < 0:
                return self._signed(web.Response(text=_TOO_MANY, status=429), headers)
            answer = await handler(request)
            if answer.status == 429:  # an injected fault: the gateway's own words are text
                answer = web.Response(text=_TOO_MANY, status=429)
            return self._signed(answer, headers)

        return guard

    def _headers(self, key: str | None) -> dict[str, str]:
        """What is left of the minute; nothing when there is no limit."""
        rate = self._plans.keyless if key is None else self._plans.keys[key]
        if rate is None:
            return {}
        now = self._clock.now()
        asked = self._asked.setdefault(key, deque())
        while asked and asked[0] <= now - _WINDOW_MS:
            asked.popleft()
        limit = int(rate * _WINDOW_MS / 1000)
        remaining = limit - len(asked) - 1
        if remaining >= 0:
            asked.append(now)
        free = (asked[0] if asked else now) + _WINDOW_MS
        return {
            "x-ratelimit-remaining": str(remaining),
            "x-ratelimit-current": str(len(asked)),
            "x-ratelimit-reset": str(math.ceil(free / 1000)),
        }

    def _signed(self, answer: web.StreamResponse, headers: Mapping[str, str]) -> web.StreamResponse:
        answer.headers.update({**headers, "x-api-gateway-request-id": f"{self._count:032x}"})
        return answer
