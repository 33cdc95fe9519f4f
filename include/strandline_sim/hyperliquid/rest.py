"""/info and /exchange: rate limits, malformed bodies, and the venue's own faults."""

import asyncio
import base64
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any, Final

import msgspec

from strandline_sim.clock import Clock
from strandline_sim.command_log import CommandLog
from strandline_sim.faults import FaultKind, Faults
from strandline_sim.hyperliquid.actions import WHOLE, Answer, MalformedError
from strandline_sim.hyperliquid.exchange import Exchange
from strandline_sim.hyperliquid.feeds import Feeds
from strandline_sim.hyperliquid.info import Info
from strandline_sim.hyperliquid.limits import Limits, SlidingWindow, action_weight, info_weight
from strandline_sim.hyperliquid.request_auth import RequestAuth
from strandline_sim.web import MalformedJsonError, decode_json

MALFORMED_TEXT: Final = "Failed to deserialize the JSON body into the target type"
Reply = tuple[int, Any]


class _Typed(msgspec.Struct):
    type: str = "unknown"


class _ActionRequest(msgspec.Struct):
    action: _Typed


def route_of(path: str, body: bytes) -> str:
    """Name the route of a request, for faults."""
    try:
        if path == "/info":
            return f"hyperliquid/info/{decode_json(body, _Typed).type}"
        if path == "/exchange":
            return f"hyperliquid/exchange/{decode_json(body, _ActionRequest).action.type}"
    except MalformedJsonError:
        return f"hyperliquid{path}/unknown"
    return "hyperliquid/ws/connect" if path == "/ws" else f"hyperliquid{path}"


class Rest:
    """Handles requests; returns a status with JSON, or with text for 422."""

    def __init__(
        self,
        exchange: Exchange,
        auth: RequestAuth,
        info: Info,
        feeds: Feeds,
        clock: Clock,
        faults: Faults,
        limits: Limits,
        command_log: CommandLog,
    ) -> None:
        self._exchange = exchange
        self._auth = auth
        self._info = info
        self._feeds = feeds
        self._clock = clock
        self._faults = faults
        self._limits = limits
        self._windows: dict[str, SlidingWindow] = {}
        self._thread = ThreadPoolExecutor(1, "hyperliquid-info")
        """One thread, because more of them would only take the interpreter from the event loop."""
        self._record_exchange = command_log.register("exchange", self._execute)

    def advance(self) -> None:
        """Bring the exchange to the clock's time, and publish the updates."""
        self._exchange.advance(self._clock.now())
        self._feeds.publish_updates()

    async def info(self, body: bytes, remote: str) -> Reply:
        """Handle a request of /info; what takes long to compute holds up nobody else."""
        window = self._window(remote)
        if window.is_full(self._clock.now()):
            return 429, None
        self.advance()
        try:
            query = decode_json(body)
            lag = self._faults.inject(route_of("/info", body), self._clock.now(), (FaultKind.LAG,))
            answer = self._info.answer(query, 0 if lag is None else int(lag.value))
        except (MalformedError, MalformedJsonError):
            return 422, MALFORMED_TEXT
        weight = info_weight(query["type"], 0)
        window.add(self._clock.now(), weight)
        if callable(answer):
            answer = await asyncio.get_running_loop().run_in_executor(self._thread, answer)
        if isinstance(answer, list):
            window.add(self._clock.now(), info_weight(query["type"], len(answer)) - weight)
        skew = self._skew(route_of("/info", body))
        if skew and isinstance(answer, dict) and "time" in answer:
            answer["time"] += skew
        return 200, answer

    def exchange(self, body: bytes, remote: str) -> Reply:
        """Handle a request of /exchange."""
        window = self._window(remote)
        if window.is_full(self._clock.now()):
            return 429, None
        route = route_of("/exchange", body)
        share = self._faults.inject(route, self._clock.now(), (FaultKind.PARTIAL_FILL,))
        answer = self._record_exchange(
            {
                "body": base64.b64encode(body).decode(),
                "skew_ms": self._skew(route),
                "share": str(WHOLE if share is None else share.value),
            }
        )
        if answer is None:
            return 422, MALFORMED_TEXT
        window.add(self._clock.now(), action_weight(_order_count(answer)))
        self._feeds.flush()
        return 200, answer

    def _execute(self, command: dict[str, Any]) -> Answer | None:
        """Execute a recorded request; return None for a malformed body."""
        self.advance()
        try:
            return self._auth.handle(base64.b64decode(command["body"]), command["skew_ms"], Decimal(command["share"]))
        except MalformedError:
            return None

    def _skew(self, route: str) -> int:
        rule = self._faults.inject(route, self._clock.now(), (FaultKind.CLOCK_SKEW,))
        return 0 if rule is None else int(rule.value)

    def _window(self, remote: str) -> SlidingWindow:
        return self._windows.setdefault(remote, SlidingWindow(self._limits.weight_per_minute))


def _order_count(answer: dict[str, Any]) -> int:
    """Return the number of orders in the action."""
    response = answer["response"]
    return len(response["data"]["statuses"]) if isinstance(response, dict) and "data" in response else 1
