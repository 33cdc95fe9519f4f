"""Streams Hyperliquid's trades."""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Final

from strandline.venues.coverage import StreamCoverage
from strandline.venues.feed import FeedError, FeedStatus, Listing, QuarantinedMessage, Sink, TickRow
from strandline.venues.hyperliquid.compiled_trades import CompiledTrades
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from strandline.venues.hyperliquid.limits import MAX_SUBSCRIPTIONS, socket_count
from strandline.venues.hyperliquid.price_poll import PricePoll
from strandline.venues.hyperliquid.public import request
from strandline.venues.hyperliquid.trade_stream import SocketBudget, TradeStream
from strandline.venues.hyperliquid.wire import (
    Message,
    OtherFrame,
    SubscriptionReply,
    Trade,
    Trades,
    instant,
    read_listings,
)
from strandline.venues.stable_hash import stable_hash

_log = logging.getLogger(__name__)
_SIDES: Final = {"B": b"b", "A": b"s"}
_LONGEST_LOGGED: Final = 300
_CONNECTED_SECONDS: Final = 0.1
_LONG_OUTAGE_SECONDS: Final = 60.0
"""A socket that is down for longer holds up the watermark no more: what it misses is recorded as an outage.
The prices of coins that are not streamed for longer are polled."""


class HyperliquidFeed:
    """As many sockets as its coins need, each with some of them: if one is lost, the coins of the others go on.

    A coin stays on its socket while it is streamed; a hash of its name places a new one. Replayed trades are passed on
    too: the sink removes duplicates.
    """

    venue = HYPERLIQUID_PERPS

    def __init__(self, url: str, sink: Sink, clock: Callable[[], datetime], processes: int = 1) -> None:
        """`processes` is how many share the venue's limits."""
        self._url = url.rstrip("/")
        self._sink = sink
        self._clock = clock
        self._processes = processes
        self._budget = SocketBudget(processes)
        self._wanted: Mapping[str, int] = {}
        self._numbers: dict[str, int] = {}
        self._unstreamed_at: dict[str, float] = {}
        self._price_poll = PricePoll(self._url, sink, clock)
        self._streams: list[TradeStream] = []
        self._trades = CompiledTrades()
        self._grown = asyncio.Event()
        self._messages = 0
        self._add_stream()

    @property
    def received_through(self) -> datetime | None:
        """The watermark of the slowest socket, which stands still from its disconnection until it is proved again.

        Not for ever: a socket that is down for long is left out, unless no other is left.
        """
        up = [stream for stream in self._streams if stream.unsettled_seconds <= _LONG_OUTAGE_SECONDS]
        moments = [stream.coverage.through for stream in up or self._streams]
        known = [moment for moment in moments if moment is not None]
        return min(known) if len(known) == len(moments) else None

    @property
    def streamed_since(self) -> Mapping[int, datetime]:
        """From the first ping that was sent after the subscription was confirmed, and answered."""
        return {self._numbers[coin]: since for stream in self._streams for coin, since in stream.coverage.since.items()}

    @property
    def status(self) -> FeedStatus:
        """Connected means that every subscription is confirmed and replayed."""
        return FeedStatus(
            connected=all(stream.connected for stream in self._streams),
            subscribed=sum(len(stream.subscriptions.coins or ()) for stream in self._streams),
            messages=self._messages,
            reconnects=sum(max(0, stream.reconnects) for stream in self._streams),
            oversized=sum(stream.oversized for stream in self._streams),
        )

    async def listings(self, tokens: Collection[str]) -> list[Listing]:  # noqa: ARG002  the venue lists all at once
        """List all perpetuals."""
        body = await request(self._url, {"type": "meta"})
        try:
            return read_listings(body)
        except ValueError as error:
            raise FeedError(f"Hyperliquid's listing makes no sense: {error}") from error

    def subscribe(self, tokens: Mapping[str, int]) -> None:
        """Stream these coins and no others; poll prices of those beyond the venue's limit, new ones last by name."""
        current = {coin for stream in self._streams for coin in stream.subscriptions.coins or ()}
        self._wanted = dict(tokens)
        self._numbers.update(tokens)
        self._trades.set_numbers(self._numbers)
        by_priority = sorted(tokens, key=lambda coin: (coin not in current, coin))
        self._distribute(frozenset(by_priority[: MAX_SUBSCRIPTIONS // self._processes]))

    def _long_unstreamed(self) -> Mapping[str, int]:
        """The coins that are beyond the venue's limit, and those whose stream is down for long."""
        now = asyncio.get_running_loop().time()
        subscribed = {coin for stream in self._streams for coin in stream.subscriptions.coins or ()}
        streamed = {coin for stream in self._streams for coin in stream.coverage.since}
        self._unstreamed_at = {
            coin: self._unstreamed_at.get(coin, now) for coin in self._wanted if coin not in streamed
        }
        return {
            coin: self._wanted[coin]
            for coin, at in self._unstreamed_at.items()
            if coin not in subscribed or now - at > _LONG_OUTAGE_SECONDS
        }

    def _distribute(self, coins: frozenset[str]) -> None:
        while len(self._streams) < socket_count(len(coins), self._processes):
            self._add_stream()
        placed = [coins & (stream.subscriptions.coins or frozenset()) for stream in self._streams]
        for coin in coins.difference(*placed):
            placed[stable_hash(coin) % len(placed)] |= {coin}
        for stream, own in zip(self._streams, placed, strict=True):
            stream.subscriptions.set(own)

    def _add_stream(self) -> None:
        self._streams.append(TradeStream(self._url, self._budget, self._clock, self._on_message, self._take_trades))
        self._grown.set()

    async def run(self) -> None:
        """Stream until cancelled."""
        started = 0
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._price_poll.run(self._long_unstreamed))
            tasks.create_task(self._load_parser())
            while True:
                self._grown.clear()
                for stream in self._streams[started:]:
                    tasks.create_task(stream.run())
                started = len(self._streams)
                await self._grown.wait()

    async def _load_parser(self) -> None:
        """Not before all is streamed: it takes seconds of CPU time. Until then frames are read one by one."""
        while not self.status.connected:
            await asyncio.sleep(_CONNECTED_SECONDS)
        self._trades.load()

    def _take_trades(self, data: bytes, at: int) -> int:
        end, frames, ticks = self._trades.take(data, at)
        self._messages += frames
        if frames:
            self._sink.add_packed(self.venue, ticks)
        return end

    def _on_message(self, coverage: StreamCoverage, frame: bytes, message: Message) -> None:
        self._messages += 1
        if isinstance(message, Trades):
            self._add_trades(coverage, message)
        elif isinstance(message, SubscriptionReply) and message.error is not None:
            _log.warning("Hyperliquid refuses: %s", message.error[:_LONGEST_LOGGED])
        elif isinstance(message, OtherFrame) and message.reason is not None:
            self._quarantine(frame, message.reason)
            if message.broken:
                coverage.interrupt()

    def _add_trades(self, coverage: StreamCoverage, trades: Trades) -> None:
        try:
            rows = _rows(trades.parsed, self._numbers)
        except KeyError:
            rows = _rows([trade for trade in trades.parsed if trade.coin in self._numbers], self._numbers)
            for trade in trades.parsed:
                if trade.coin not in self._numbers:
                    self._quarantine(repr(trade).encode(), "a coin that is not subscribed to")
        self._sink.add_ticks(self.venue, rows)
        for payload, reason, coin, time in trades.rejected:
            if coin is None or time is None:
                self._quarantine(payload, reason)
                coverage.interrupt()
            else:
                self._quarantine(payload, reason, self._numbers.get(coin), instant(time))

    def _quarantine(self, payload: bytes, reason: str, number: int | None = None, ts: datetime | None = None) -> None:
        self._sink.quarantine(QuarantinedMessage(self.venue, "stream", reason, payload, number, ts))


def _rows(trades: Sequence[Trade], numbers: Mapping[str, int]) -> list[TickRow]:
    return [
        (one.time * 1000, numbers[one.coin], one.tid, one.px, one.sz, _SIDES[one.side], b"t", b"s") for one in trades
    ]
