"""Hyperliquid's limits: those of an address, which all sockets and processes share, and how sockets share them."""

from math import ceil
from typing import Final

from strandline.venues.limits import FeedLimits, HistoryLimits, RateLimit

MAX_SUBSCRIPTIONS: Final = 1000
# Messages: the venue takes 2000 from an address each minute.
FEED_LIMITS: Final = FeedLimits(RateLimit(burst=1000, per_second=12), subscriptions=MAX_SUBSCRIPTIONS)
# Of new connections the venue takes 30 from an address each minute.
CONNECTION_LIMIT: Final = RateLimit(burst=6, per_second=0.4)
# Weight: of the 1200 that the venue allows an address each minute, this leaves 450 to trading at any time. What is
# compared all the time uses half of it, so that a backfill by another process leaves something to trading, too.
HISTORY_LIMITS: Final = HistoryLimits(
    RateLimit(burst=150, per_second=10), spare_rate=RateLimit(burst=25, per_second=5), candles=5000
)

COINS_PER_SOCKET: Final = 100
MAX_SOCKETS: Final = 8
"""The venue takes 10 from an address; the rest is for whoever looks on."""
_PINGS_PER_SECOND: Final = 8.0


def socket_count(coins: int, processes: int) -> int:
    """How many sockets one of so many processes opens for its coins: one for each hundred, up to its share."""
    return max(1, min(MAX_SOCKETS // processes, ceil(coins / COINS_PER_SOCKET)))


def ping_interval(sockets: int, processes: int) -> float:
    """Seconds between the pings of each socket, so that all together take no more than their part of the messages."""
    return sockets * processes / _PINGS_PER_SECOND
