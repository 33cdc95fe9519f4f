"""Hyperliquid's trades, as they happen."""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Final

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from strandline.venues.backoff import pauses
from strandline.venues.feed import FeedError, FeedStatus, Listing, QuarantinedMessage, Sink, TickRow
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from strandline.venues.hyperliquid.limits import FEED_LIMITS, MAX_SUBSCRIPTIONS
from strandline.venues.hyperliquid.public import ask
from strandline.venues.hyperliquid.trade_socket import TradeSocket, Wanted
from strandline.venues.hyperliquid.wire import Answer, Message, Noise, Trade, Trades, instant, read_listings
from strandline.venues.rate_limiter import RateLimiter

_log = logging.getLogger(__name__)
_SIDES: Final = {"B": b"b", "A": b"s"}
_OPENING_SECONDS: Final = 10
_CLOSING_SECONDS: Final = 1
_STEADY_SECONDS: Final = 60


class HyperliquidFeed:
    """One socket for all coins. Every trade is told, replayed ones too: the sink knows what it has."""

    venue = HYPERLIQUID_PERPS

    def __init__(self, url: str, sink: Sink, clock: Callable[[], datetime]) -> None:
        self._url = url.rstrip("/")
        self._sink = sink
        self._clock = clock
        self._wanted = Wanted()
        self._numbers: dict[str, int] = {}
        self._rate_limiter = RateLimiter(FEED_LIMITS.rate)
        self._line: TradeSocket | None = None
        self._received_through: datetime | None = None
        self._messages = 0
        self._connections = 0

    @property
    def received_through(self) -> datetime | None:
        """Stands still while the connection is down, until the trades that the venue replays have come."""
        return self._received_through

    @property
    def status(self) -> FeedStatus:
        """Connected means that everything wanted is subscribed to."""
        connected = self._line is not None and self._line.settled
        return FeedStatus(connected, len(self._wanted.coins), self._messages, max(0, self._connections - 1))

    async def listings(self, tokens: Collection[str]) -> list[Listing]:  # noqa: ARG002  the venue tells of all at once
        """All perps."""
        body = await ask(self._url, {"type": "meta"})
        try:
            return read_listings(body)
        except ValueError as error:
            raise FeedError(f"Hyperliquid's listing makes no sense: {error}") from error

    def subscribe(self, tokens: Mapping[str, int]) -> None:
        """The venue takes a thousand subscriptions; coins beyond that are left out, and said to be."""
        if len(tokens) > MAX_SUBSCRIPTIONS:
            _log.error(
                "%d coins are wanted, %d can be streamed: the last by name are not", len(tokens), MAX_SUBSCRIPTIONS
            )
        self._numbers.update(tokens)
        self._wanted.be(frozenset(sorted(tokens)[:MAX_SUBSCRIPTIONS]))

    async def run(self) -> None:
        """Connect, and connect again."""
        loop = asyncio.get_running_loop()
        waits = pauses()
        while True:
            began = loop.time()
            try:
                await self._connected()
            except* (OSError, WebSocketException) as group:
                _log.warning("Hyperliquid's stream is down: %s", _first(group))
            finally:
                self._line = None
            if loop.time() - began > _STEADY_SECONDS:
                waits = pauses()
            await asyncio.sleep(next(waits))

    async def _connected(self) -> None:
        socket_url = f"ws{self._url.removeprefix('http')}/ws"
        # The line has its own pings, of the kind that the venue answers; how long a frame may be, nobody says.
        async with connect(
            socket_url,
            ping_interval=None,
            max_size=None,
            open_timeout=_OPENING_SECONDS,
            close_timeout=_CLOSING_SECONDS,
            proxy=None,
        ) as socket:
            self._connections += 1
            _log.info("Hyperliquid's stream is up: %d coins", len(self._wanted.coins))
            self._line = TradeSocket(socket, self._wanted, self._rate_limiter, self._told)
            await self._line.run()

    def _told(self, frame: bytes, message: Message) -> None:
        self._messages += 1
        if isinstance(message, Trades):
            self._take(message)
        elif isinstance(message, Answer) and message.fault is not None:
            _log.warning("Hyperliquid refuses: %s", message.fault)
        elif isinstance(message, Noise) and message.reason is not None:
            self._refuse(frame, message.reason)
        if self._line is not None and self._line.settled:
            self._received_through = self._clock()

    def _take(self, trades: Trades) -> None:
        try:
            rows = [self._row(trade) for trade in trades.read]
        except KeyError:
            rows = [self._row(trade) for trade in trades.read if trade.coin in self._numbers]
            for trade in trades.read:
                if trade.coin not in self._numbers:
                    self._refuse(repr(trade).encode(), "a coin that was not asked for")
        self._sink.add_ticks(self.venue, rows)
        for payload, reason in trades.unread:
            self._refuse(payload, reason)

    def _row(self, trade: Trade) -> TickRow:
        number = self._numbers[trade.coin]
        return (instant(trade.time), number, trade.tid, trade.px, trade.sz, _SIDES[trade.side], b"t", b"s")

    def _refuse(self, payload: bytes, reason: str) -> None:
        self._sink.quarantine(QuarantinedMessage(self.venue, "stream", reason, payload))


def _first(group: BaseExceptionGroup[Exception]) -> str:
    """Of several at once the first says enough."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) or type(error).__name__
