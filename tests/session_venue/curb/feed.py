"""Curb's trades."""

import asyncio
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from strandline.model.exact import Money, Quantity
from strandline.venues.config import VenueConfig
from strandline.venues.feed import FeedStatus, Listing, Sink
from tests.session_venue.curb import CURB_SHARES

LISTED: Mapping[str, str | None] = {"ACME": "XNYS", "ALWAYS": None}
"""The calendar of each."""


class CurbFeed:
    """Says what there is; its trades come from the test."""

    venue = CURB_SHARES

    def __init__(self, config: VenueConfig, sink: Sink) -> None:
        self._clock = config.clock
        self._tokens: Mapping[str, int] = {}

    @property
    def received_through(self) -> datetime | None:
        return self._clock()

    @property
    def streamed_since(self) -> Mapping[int, datetime]:
        return {}

    @property
    def status(self) -> FeedStatus:
        return FeedStatus(connected=True, subscribed=len(self._tokens), messages=0, reconnects=0)

    async def listings(self, tokens: Collection[str]) -> list[Listing]:
        """The shares, each with the calendar of its sessions."""
        return [
            Listing(
                token_contract=token,
                symbol=token,
                lot=Quantity(1),
                min_notional=Money(1),
                stale_after=timedelta(minutes=2),
                calendar=calendar,
            )
            for token, calendar in LISTED.items()
            if token in tokens
        ]

    def subscribe(self, tokens: Mapping[str, int]) -> None:
        self._tokens = dict(tokens)

    async def run(self) -> None:
        await asyncio.Future()
