"""Streams Hyperliquid's trades."""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Final

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.frames import CloseCode

from strandline.venues.backoff import pauses
from strandline.venues.coverage import StreamCoverage
from strandline.venues.feed import FeedError, FeedStatus, Listing, QuarantinedMessage, Sink, TickRow
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from strandline.venues.hyperliquid.limits import CONNECTION_LIMIT, FEED_LIMITS, MAX_SUBSCRIPTIONS
from strandline.venues.hyperliquid.public import request
from strandline.venues.hyperliquid.trade_socket import Subscriptions, TradeSocket
from strandline.venues.hyperliquid.wire import (
    Message,
    OtherFrame,
    SubscriptionReply,
    Trade,
    Trades,
    instant,
    read_listings,
)
from strandline.venues.rate_limiter import RateLimiter

_log = logging.getLogger(__name__)
_SIDES: Final = {"B": b"b", "A": b"s"}
_OPENING_SECONDS: Final = 10
_CLOSING_SECONDS: Final = 1
# The venue documents no largest frame. This one has room for four thousand trades, and its queue is bounded with it.
_LARGEST_FRAME: Final = 2**20
_QUEUED_FRAMES: Final = 16
_LONGEST_LOGGED: Final = 300


class HyperliquidFeed:
    """One socket for all coins. Replayed trades are passed on too: the sink removes duplicates."""

    venue = HYPERLIQUID_PERPS

    def __init__(self, url: str, sink: Sink, clock: Callable[[], datetime]) -> None:
        self._url = url.rstrip("/")
        self._sink = sink
        self._clock = clock
        self._subscriptions = Subscriptions()
        self._numbers: dict[str, int] = {}
        self._rate_limiter = RateLimiter(FEED_LIMITS.rate)
        self._connection_limiter = RateLimiter(CONNECTION_LIMIT)
        self._socket: TradeSocket | None = None
        self._coverage = StreamCoverage()
        self._messages = 0
        self._connections = 0
        self._oversized = 0

    @property
    def received_through(self) -> datetime | None:
        """The watermark; from a disconnection on it waits until everything is subscribed to again."""
        return self._coverage.through

    @property
    def streamed_since(self) -> Mapping[int, datetime]:
        """From the first ping that was sent after the subscription was confirmed, and answered."""
        return {self._numbers[coin]: since for coin, since in self._coverage.since.items()}

    @property
    def status(self) -> FeedStatus:
        """Connected means that every subscription is confirmed and replayed."""
        connected = self._coverage.settled and not self._subscriptions.changed.is_set()
        reconnects = max(0, self._connections - 1)
        return FeedStatus(connected, self._subscribed, self._messages, reconnects, self._oversized)

    @property
    def _subscribed(self) -> int:
        return len(self._subscriptions.coins or ())

    async def listings(self, tokens: Collection[str]) -> list[Listing]:  # noqa: ARG002  the venue lists all at once
        """List all perpetuals."""
        body = await request(self._url, {"type": "meta"})
        try:
            return read_listings(body)
        except ValueError as error:
            raise FeedError(f"Hyperliquid's listing makes no sense: {error}") from error

    def subscribe(self, tokens: Mapping[str, int]) -> None:
        """Subscribe to these coins and to no others; those beyond the venue's limit are left out and logged."""
        if len(tokens) > MAX_SUBSCRIPTIONS:
            _log.error(
                "%d coins are wanted, %d can be streamed: the last by name are not", len(tokens), MAX_SUBSCRIPTIONS
            )
        self._numbers.update(tokens)
        self._subscriptions.set(frozenset(sorted(tokens)[:MAX_SUBSCRIPTIONS]))

    async def run(self) -> None:
        """Stream until cancelled, and reconnect: a second after one that worked, else after growing pauses."""
        waits = pauses()
        while True:
            await self._connection_limiter.acquire()
            try:
                await self._stream_once()
            except* (OSError, WebSocketException) as group:
                error = _first_error(group)
                _log.warning("Hyperliquid's stream is down: %s", str(error) or type(error).__name__)
                if isinstance(error, ConnectionClosed) and error.sent and error.sent.code == CloseCode.MESSAGE_TOO_BIG:
                    self._oversized += 1
            finally:
                self._coverage.end()
            # A server that accepts connections and drops them at once is not well yet.
            if self._socket is not None and self._socket.was_settled:
                waits = pauses()
            self._socket = None
            await asyncio.sleep(next(waits))

    async def _stream_once(self) -> None:
        socket_url = f"ws{self._url.removeprefix('http')}/ws"
        # TradeSocket sends pings of the kind that the venue answers.
        async with connect(
            socket_url,
            ping_interval=None,
            max_size=_LARGEST_FRAME,
            max_queue=_QUEUED_FRAMES,
            open_timeout=_OPENING_SECONDS,
            close_timeout=_CLOSING_SECONDS,
            proxy=None,
        ) as socket:
            self._connections += 1
            _log.info("Hyperliquid's stream is up: %d coins", self._subscribed)
            self._socket = TradeSocket(
                socket, self._subscriptions, self._coverage, self._rate_limiter, self._clock, self._on_message
            )
            await self._socket.run()

    def _on_message(self, frame: bytes, message: Message) -> None:
        self._messages += 1
        if isinstance(message, Trades):
            self._add_trades(message)
        elif isinstance(message, SubscriptionReply) and message.error is not None:
            _log.warning("Hyperliquid refuses: %s", message.error[:_LONGEST_LOGGED])
        elif isinstance(message, OtherFrame) and message.reason is not None:
            self._quarantine(frame, message.reason)
            if message.broken:
                self._coverage.interrupt()

    def _add_trades(self, trades: Trades) -> None:
        try:
            rows = [self._row(trade) for trade in trades.parsed]
        except KeyError:
            rows = [self._row(trade) for trade in trades.parsed if trade.coin in self._numbers]
            for trade in trades.parsed:
                if trade.coin not in self._numbers:
                    self._quarantine(repr(trade).encode(), "a coin that is not subscribed to")
        self._sink.add_ticks(self.venue, rows)
        for payload, reason, coin, time in trades.rejected:
            if coin is None or time is None:
                self._quarantine(payload, reason)
                self._coverage.interrupt()
            else:
                self._quarantine(payload, reason, self._numbers.get(coin), instant(time))

    def _row(self, trade: Trade) -> TickRow:
        number = self._numbers[trade.coin]
        return (instant(trade.time), number, trade.tid, trade.px, trade.sz, _SIDES[trade.side], b"t", b"s")

    def _quarantine(self, payload: bytes, reason: str, number: int | None = None, ts: datetime | None = None) -> None:
        self._sink.quarantine(QuarantinedMessage(self.venue, "stream", reason, payload, number, ts))


def _first_error(group: BaseExceptionGroup[Exception]) -> BaseException:
    """The first error of a group, which may be of groups."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
