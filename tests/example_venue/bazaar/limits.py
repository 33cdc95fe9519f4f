"""Bazaar's limits."""

from typing import Final

from strandline.venues.limits import FeedLimits, RateLimit

FEED_LIMITS: Final = FeedLimits(RateLimit(burst=10, per_second=0.5), subscriptions=50)
