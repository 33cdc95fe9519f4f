"""A stream of the trades of some coins: one socket at a time, which is opened again as often as it takes."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Final, cast

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.frames import CloseCode

from strandline.venues.backoff import pauses
from strandline.venues.coverage import StreamCoverage
from strandline.venues.hyperliquid.limits import CONNECTION_LIMIT, FEED_LIMITS, ping_interval
from strandline.venues.hyperliquid.trade_socket import Subscriptions, TradeSocket
from strandline.venues.hyperliquid.wire import Message
from strandline.venues.message_connection import MessageConnection
from strandline.venues.rate_limiter import RateLimiter

_log = logging.getLogger(__name__)
_OPENING_SECONDS: Final = 10
_CLOSING_SECONDS: Final = 1
# The venue documents no largest frame. This one has room for two thousand trades.
_LARGEST_FRAME: Final = 2**20


class SocketBudget:
    """What all sockets of a process may use together."""

    def __init__(self, processes: int) -> None:
        self.messages = RateLimiter(FEED_LIMITS.rate.divided(processes))
        self.connections = RateLimiter(CONNECTION_LIMIT.divided(processes))
        self.sockets = 0
        self._processes = processes

    def ping_interval(self) -> float:
        """Seconds between the pings of each socket, at least."""
        return ping_interval(self.sockets, self._processes)


class TradeStream:
    """Streams its coins, which may change at any time; each message goes to `on_message` with the stream's coverage,
    but for those that `take_trades` has taken before."""

    def __init__(
        self,
        url: str,
        budget: SocketBudget,
        clock: Callable[[], datetime],
        on_message: Callable[[StreamCoverage, bytes, Message], None],
        take_trades: Callable[[bytes, int], int],
    ) -> None:
        self.subscriptions = Subscriptions()
        self.coverage = StreamCoverage()
        self.reconnects = -1
        self.oversized = 0
        self._socket_url = f"ws{url.removeprefix('http')}/ws"
        self._budget = budget
        self._clock = clock
        self._on_message = on_message
        self._take_trades = take_trades
        self._socket: TradeSocket | None = None
        self._settled_at: float | None = None
        budget.sockets += 1

    @property
    def connected(self) -> bool:
        """Whether every subscription is confirmed and replayed."""
        return self.coverage.settled and not self.subscriptions.changed.is_set()

    @property
    def unsettled_seconds(self) -> float:
        """How long ago everything was last proved to be received, or the stream begun."""
        if self._settled_at is None:
            return 0.0
        settled_at = None if self._socket is None else self._socket.settled_at
        return asyncio.get_running_loop().time() - max(self._settled_at, settled_at or 0.0)

    async def run(self) -> None:
        """Stream until cancelled, and reconnect: a second after one that worked, else after growing pauses."""
        self._settled_at = asyncio.get_running_loop().time()
        waits = pauses()
        while True:
            await self._budget.connections.acquire()
            try:
                await self._stream_once()
            except* (OSError, WebSocketException) as group:
                error = _first_error(group)
                _log.warning("Hyperliquid's stream is down: %s", str(error) or type(error).__name__)
                if isinstance(error, ConnectionClosed) and error.sent and error.sent.code == CloseCode.MESSAGE_TOO_BIG:
                    self.oversized += 1
            finally:
                self.coverage.end()
            # A server that accepts connections and drops them at once is not well yet.
            if self._socket is not None and self._socket.settled_at is not None:
                self._settled_at = self._socket.settled_at
                waits = pauses()
            self._socket = None
            await asyncio.sleep(next(waits))

    async def _stream_once(self) -> None:
        self._socket = TradeSocket(
            self.subscriptions,
            self.coverage,
            self._budget.messages,
            self._budget.ping_interval,
            self._clock,
            lambda frame, message: self._on_message(self.coverage, frame, message),
            self._take_trades,
        )
        create = partial(MessageConnection, self._socket.receive, self._socket.take, _LARGEST_FRAME)
        # TradeSocket sends pings of the kind that the venue answers.
        async with connect(
            self._socket_url,
            ping_interval=None,
            max_size=_LARGEST_FRAME,
            open_timeout=_OPENING_SECONDS,
            close_timeout=_CLOSING_SECONDS,
            proxy=None,
            create_connection=cast("type[MessageConnection]", create),
        ) as connection:
            self.reconnects += 1
            _log.info("Hyperliquid's stream is up: %d coins", len(self.subscriptions.coins or ()))
            await self._socket.run(connection)


def _first_error(group: BaseExceptionGroup[Exception]) -> BaseException:
    """The first error of a group, which may be of groups."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
