"""Polls Jupiter for the prices of Solana's tokens."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from strandline.model.instants import microseconds
from strandline.venues.backoff import pauses
from strandline.venues.feed import FeedError, FeedStatus, Listing, QuarantinedMessage, Sink, TickRow
from strandline.venues.http_body import read_body
from strandline.venues.http_client import load_http_client
from strandline.venues.limits import FeedLimits
from strandline.venues.rate_limiter import RateLimiter
from strandline.venues.solana.key import SOLANA_ONCHAIN
from strandline.venues.solana.limits import FEED_LIMITS
from strandline.venues.solana.prices import Price, read_prices, read_tokens

if TYPE_CHECKING:
    import aiohttp

_log = logging.getLogger(__name__)
_TIMEOUT_SECONDS: Final = 10
_IDS_PER_CALL: Final = 50
_SECONDS_PER_POLL: Final = 5.0


class JupiterFeed:
    """Each token gets several prices a minute, up to a few hundred tokens."""

    venue = SOLANA_ONCHAIN

    def __init__(
        self,
        url: str,
        sink: Sink,
        clock: Callable[[], datetime],
        api_key: str | None = None,
        limits: FeedLimits = FEED_LIMITS,
    ) -> None:
        self._url = url.rstrip("/")
        self._sink = sink
        self._clock = clock
        self._headers = {"x-api-key": api_key} if api_key else {}
        self._rate_limiter = RateLimiter(limits.rate_for(api_key))
        self._tokens: Mapping[str, int] = {}
        self._changed = asyncio.Event()
        self._connected = False
        self._messages = 0
        self._failures = 0

    @property
    def received_through(self) -> datetime | None:
        """The current time: a price gets the time at which it is received, so none can be late."""
        return self._clock()

    @property
    def streamed_since(self) -> Mapping[int, datetime]:
        """Nothing is streamed: a poll that failed misses no trades."""
        return {}

    @property
    def status(self) -> FeedStatus:
        """Connected means that the last poll succeeded; a failure counts as a reconnect."""
        return FeedStatus(self._connected, len(self._tokens), self._messages, self._failures)

    async def listings(self, tokens: Collection[str]) -> list[Listing]:
        """List those of these mints that Jupiter knows."""
        found: list[Listing] = []
        async with await self._session() as session:
            for mints in _batches(sorted(tokens)):
                body = await self._get(session, "/tokens/v2/search", {"query": ",".join(mints)})
                try:
                    found += read_tokens(body)
                except ValueError as error:
                    raise FeedError(f"Jupiter's tokens make no sense: {error}") from error
        # Jupiter also finds tokens by name or symbol.
        return [listing for listing in found if listing.token_contract in tokens]

    def subscribe(self, tokens: Mapping[str, int]) -> None:
        """Poll these tokens and no others, new ones immediately."""
        if tokens.keys() - self._tokens.keys():
            self._changed.set()
        self._tokens = dict(tokens)

    async def run(self) -> None:
        """Poll within the rate limit, until cancelled."""
        waits = pauses(_SECONDS_PER_POLL)
        await self._changed.wait()
        async with await self._session() as session:
            while True:
                self._changed.clear()
                try:
                    await self._poll(session)
                except FeedError as error:
                    self._connected = False
                    self._failures += 1
                    _log.warning("%s", error)
                    await asyncio.sleep(next(waits))
                else:
                    waits = pauses(_SECONDS_PER_POLL)
                    await self._wait()

    async def _wait(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SECONDS_PER_POLL):
                await self._changed.wait()

    async def _poll(self, session: "aiohttp.ClientSession") -> None:
        tokens = self._tokens
        for mints in _batches(list(tokens)):
            body = await self._get(session, "/price/v3", {"ids": ",".join(mints)})
            received_at = self._clock()
            prices = read_prices(body)
            rows = [_row(received_at, tokens[mint], price) for mint, price in prices.parsed.items() if mint in tokens]
            self._messages += 1
            self._connected = True
            self._sink.add_ticks(self.venue, rows)
            for payload, reason in prices.rejected:
                self._sink.quarantine(QuarantinedMessage(self.venue, "price", reason, payload))

    async def _get(self, session: "aiohttp.ClientSession", path: str, query: Mapping[str, str]) -> bytes:
        await self._rate_limiter.acquire()
        import aiohttp

        try:
            async with session.get(self._url + path, params=query) as response:
                body = await read_body(response)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise FeedError(f"Jupiter cannot be reached for {path}: {error!r}") from error
        if response.status != 200:
            raise FeedError(f"Jupiter answers {response.status} to {path}")
        return body

    async def _session(self) -> "aiohttp.ClientSession":
        await load_http_client()
        import aiohttp

        return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS), headers=self._headers)


def _row(received_at: datetime, number: int, price: Price) -> TickRow:
    ts = microseconds(received_at)
    trade_id = ts // 1000 if price.block is None else price.block
    return (ts, number, trade_id, price.usd, None, None, b"p", b"r")


def _batches(tokens: Sequence[str]) -> list[Sequence[str]]:
    return [tokens[first : first + _IDS_PER_CALL] for first in range(0, len(tokens), _IDS_PER_CALL)]
