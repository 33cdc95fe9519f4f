"""Bazaar's prices, polled."""

import asyncio
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Final

from strandline.model.exact import Money, Quantity
from strandline.model.instants import microseconds
from strandline.venues.config import VenueConfig
from strandline.venues.feed import FeedStatus, Listing, Sink
from strandline.venues.rate_limiter import RateLimiter
from tests.example_venue.bazaar.key import BAZAAR_SPOT
from tests.example_venue.bazaar.limits import FEED_LIMITS
from tests.example_venue.bazaar.prices import TOKENS, price
from tests.example_venue.bazaar.settings import URL

_SECONDS_PER_POLL: Final = 5.0


class BazaarFeed:
    """Polls every few seconds."""

    venue = BAZAAR_SPOT

    def __init__(self, config: VenueConfig, sink: Sink) -> None:
        self._url = config.require(URL.name)
        self._clock = config.clock
        self._sink = sink
        self._rate_limiter = RateLimiter(FEED_LIMITS.rate)
        self._tokens: Mapping[str, int] = {}
        self._polls = 0

    @property
    def received_through(self) -> datetime | None:
        """A price is stamped when it is received, so none can come late."""
        return self._clock()

    @property
    def streamed_since(self) -> Mapping[int, datetime]:
        """Its prices are polled, not streamed."""
        return {}

    @property
    def status(self) -> FeedStatus:
        """For the heartbeat."""
        return FeedStatus(connected=self._polls > 0, subscribed=len(self._tokens), messages=self._polls, reconnects=0)

    async def listings(self, tokens: Collection[str]) -> list[Listing]:
        """The tokens that the venue lists."""
        return [
            Listing(
                token_contract=token,
                symbol=token,
                lot=Quantity("0.01"),
                min_notional=Money(5),
                stale_after=timedelta(seconds=60),
            )
            for token in TOKENS
            if token in tokens
        ]

    def subscribe(self, tokens: Mapping[str, int]) -> None:
        """Poll exactly these tokens from now on."""
        self._tokens = dict(tokens)

    async def run(self) -> None:
        """Poll until cancelled."""
        while True:
            await self._rate_limiter.acquire()
            now = self._clock()
            ts = microseconds(now)
            self._sink.add_ticks(
                self.venue,
                [
                    (ts, number, ts // 1000, float(price(token, now)), None, None, b"p", b"r")
                    for token, number in self._tokens.items()
                ],
            )
            self._polls += 1
            await asyncio.sleep(_SECONDS_PER_POLL)
