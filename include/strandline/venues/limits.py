"""How much of what a venue allows its market data may use. Trading is left the rest."""

from typing import NamedTuple


class RateLimit(NamedTuple):
    """This many requests, messages or units of weight at once, and so many more with each second."""

    burst: float
    per_second: float

    def divided(self, processes: int) -> "RateLimit":
        """The share of each of so many processes."""
        return RateLimit(self.burst / processes, self.per_second / processes)


class FeedLimits(NamedTuple):
    """The limits of live market data. `subscriptions` is the most tokens at once; None is any number."""

    rate: RateLimit
    rate_with_api_key: RateLimit | None = None
    subscriptions: int | None = None

    def rate_for(self, api_key: str | None) -> RateLimit:
        """The rate that a client with this key has."""
        return self.rate_with_api_key if api_key and self.rate_with_api_key else self.rate

    def divided(self, processes: int) -> "FeedLimits":
        """The share of each of so many processes."""
        return FeedLimits(
            self.rate.divided(processes),
            self.rate_with_api_key and self.rate_with_api_key.divided(processes),
            self.subscriptions and self.subscriptions // processes,
        )


class HistoryLimits(NamedTuple):
    """The limits of historical candles. `candles` is how many of one timeframe the venue keeps.

    `spare_rate` is the part of `rate` that requests which are never urgent may use.
    """

    rate: RateLimit
    spare_rate: RateLimit
    candles: int
