"""Jupiter's limits."""

from typing import Final

from strandline.venues.limits import FeedLimits, RateLimit

# Requests. The smallest plans allow one in two seconds without a key, and one each second with one. Trading uses
# Jupiter too, and is left the larger part.
FEED_LIMITS: Final = FeedLimits(
    RateLimit(burst=5, per_second=0.25), rate_with_api_key=RateLimit(burst=5, per_second=0.5)
)
