"""Breakers: losses that stop entries."""

from enum import StrEnum


class Breaker(StrEnum):
    """What trips. A daily loss is over with the UTC day; the others stay tripped until a person resets them."""

    DAILY_LOSS = "daily_loss"
    DRAWDOWN = "drawdown"
    LOSING_STREAK = "losing_streak"

    @property
    def ends_with_the_day(self) -> bool:
        """Whether the next UTC day resets it; otherwise a person must."""
        return self is Breaker.DAILY_LOSS
