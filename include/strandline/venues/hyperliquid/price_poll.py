"""Polls the prices of coins that are not streamed: one request has those of all."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from strandline.model.instants import microseconds
from strandline.venues.feed import FeedError, QuarantinedMessage, Sink
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from strandline.venues.hyperliquid.public import request
from strandline.venues.hyperliquid.wire import read_mids

_log = logging.getLogger(__name__)
_POLL_SECONDS: Final = 30.0
_CHECK_SECONDS: Final = 1.0


class PricePoll:
    """Asks every half minute, and only while there is a coin to ask for: a request weighs 2 of 1200 a minute."""

    def __init__(self, url: str, sink: Sink, clock: Callable[[], datetime]) -> None:
        self._url = url
        self._sink = sink
        self._clock = clock

    async def run(self, unstreamed: Callable[[], Mapping[str, int]]) -> None:
        """Poll until cancelled; `unstreamed` has the coins whose prices are wanted, with their instrument ids."""
        while True:
            wanted = unstreamed()
            if wanted:
                try:
                    await self._poll(wanted)
                except FeedError as error:
                    _log.warning("%s", error)
            await asyncio.sleep(_POLL_SECONDS if wanted else _CHECK_SECONDS)

    async def _poll(self, wanted: Mapping[str, int]) -> None:
        body = await request(self._url, {"type": "allMids"})
        ts = microseconds(self._clock())
        mids = read_mids(body)
        rows = [
            (ts, wanted[coin], ts // 1000, price, None, None, b"p", b"r")
            for coin, price in mids.parsed.items()
            if coin in wanted
        ]
        self._sink.add_ticks(HYPERLIQUID_PERPS, rows)
        for payload, reason in mids.rejected:
            self._sink.quarantine(QuarantinedMessage(HYPERLIQUID_PERPS, "rest", reason, payload))
