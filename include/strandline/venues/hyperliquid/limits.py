"""Hyperliquid's limits."""

from typing import Final

from strandline.venues.limits import FeedLimits, HistoryLimits, RateLimit

MAX_SUBSCRIPTIONS: Final = 1000
# Messages: the venue takes 2000 from an address each minute.
FEED_LIMITS: Final = FeedLimits(RateLimit(burst=1000, per_second=12), subscriptions=MAX_SUBSCRIPTIONS)
# Of new connections the venue takes 30 from an address each minute.
CONNECTION_LIMIT: Final = RateLimit(burst=6, per_second=0.4)
# Weight: of the 1200 that the venue allows an address each minute, this leaves 450 to trading at any time.
HISTORY_LIMITS: Final = HistoryLimits(RateLimit(burst=150, per_second=10), candles=5000)
