"""Rate limits: request weights and sockets per IP address, and requests per account."""

from collections import deque
from typing import Final

from strandline.model.record import Record
from strandline_sim.hyperliquid.account import Account
from strandline_sim.hyperliquid.numbers import wire

MINUTE_MS: Final = 60_000
_LIGHT: Final = frozenset(
    {"l2Book", "allMids", "clearinghouseState", "orderStatus", "spotClearinghouseState", "exchangeStatus"}
)
_PER_20: Final = frozenset(
    {"recentTrades", "historicalOrders", "userFills", "userFillsByTime", "fundingHistory", "userFunding"}
)
_BASE_REQUESTS: Final = 10_000
_EXTRA_INTERVAL_MS: Final = 10_000


class Limits(Record, frozen=True, kw_only=True):
    """The limits, by default the venue's; None is no limit."""

    weight_per_minute: int | None = 1200
    sockets: int | None = 10
    new_sockets_per_minute: int | None = 30
    subscriptions: int | None = 1000
    users: int | None = 10
    messages_per_minute: int | None = 2000
    idle_ms: int | None = 60_000
    """The time after which a socket is closed if nothing was sent to it."""
    requests_per_account: bool = True
    """Whether accounts have 10,000 requests, and one more for each dollar traded."""

    @classmethod
    def none(cls) -> "Limits":
        """Make limits that allow everything."""
        return cls(
            weight_per_minute=None,
            sockets=None,
            new_sockets_per_minute=None,
            subscriptions=None,
            users=None,
            messages_per_minute=None,
            idle_ms=None,
            requests_per_account=False,
        )


class SlidingWindow:
    """Counts weight over the last minute."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._weights: deque[tuple[int, int]] = deque()
        self._sum = 0

    def is_full(self, now: int) -> bool:
        """Whether the limit is reached."""
        while self._weights and self._weights[0][0] <= now - MINUTE_MS:
            self._sum -= self._weights.popleft()[1]
        return self._limit is not None and self._sum >= self._limit

    def add(self, now: int, weight: int) -> None:
        """Count a weight; that of a response is known only afterwards."""
        if self._limit is not None:
            self._weights.append((now, weight))
            self._sum += weight


def info_weight(kind: str, items: int) -> int:
    """Return the weight of a query with this number of items in its response."""
    if kind in _LIGHT:
        return 2
    extra = items // 20 if kind in _PER_20 else items // 60 if kind == "candleSnapshot" else 0
    return (60 if kind == "userRole" else 20) + extra


def action_weight(batch: int) -> int:
    """Return the weight of an action with this number of orders."""
    return 1 + batch // 40


class RequestQuota:
    """The number of requests that each account may send, which grows with its volume."""

    def __init__(self) -> None:
        self._used: dict[str, int] = {}
        self._last_extra: dict[str, int] = {}

    def used(self, account: Account) -> int:
        """Return the number of requests used."""
        return self._used.get(account.address, 0)

    @staticmethod
    def cap(account: Account) -> int:
        """Return the total number of requests allowed."""
        return _BASE_REQUESTS + int(account.volume)

    def use(self, account: Account, requests: int, now: int, *, cancels: bool) -> str | None:
        """Count requests, or return the error; over the limit one request per ten seconds is allowed."""
        cap = self.cap(account)
        limit = min(cap + 100_000, 2 * cap) if cancels else cap
        used = self.used(account) + requests
        if used > limit:
            if now - self._last_extra.get(account.address, now - _EXTRA_INTERVAL_MS) < _EXTRA_INTERVAL_MS:
                return (
                    f"Too many cumulative requests sent ({used} > {limit}) for cumulative volume traded "
                    f"${wire(account.volume)}. Place taker orders to free up 1 request per USDC traded."
                )
            self._last_extra[account.address] = now
        self._used[account.address] = used
        return None
