"""How much a client may ask: weights per address of the network, sockets, and requests per account."""

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
_BUFFER: Final = 10_000
_ONE_PER_MS: Final = 10_000


class Limits(Record, frozen=True, kw_only=True):
    """The venue's. None means as much as one likes."""

    weight_per_minute: int | None = 1200
    sockets: int | None = 10
    new_sockets_per_minute: int | None = 30
    subscriptions: int | None = 1000
    users: int | None = 10
    messages_per_minute: int | None = 2000
    idle_ms: int | None = 60_000
    """A socket to which nothing was sent for so long is closed."""
    requests_per_account: bool = True
    """Ten thousand requests, and one more for each dollar traded."""

    @classmethod
    def none(cls) -> "Limits":
        """As much as one likes of everything."""
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


class Window:
    """Counts over the last minute."""

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._spent: deque[tuple[int, int]] = deque()
        self._sum = 0

    def is_full(self, now: int) -> bool:
        """Whether no more is allowed now."""
        while self._spent and self._spent[0][0] <= now - MINUTE_MS:
            self._sum -= self._spent.popleft()[1]
        return self._most is not None and self._sum >= self._most

    def spend(self, now: int, weight: int) -> None:
        """Count it; an answer's extra weight is known only afterwards."""
        if self._most is not None:
            self._spent.append((now, weight))
            self._sum += weight


def info_weight(kind: str, items: int) -> int:
    """Of a question and the number of items in its answer."""
    if kind in _LIGHT:
        return 2
    extra = items // 20 if kind in _PER_20 else items // 60 if kind == "candleSnapshot" else 0
    return (60 if kind == "userRole" else 20) + extra


def action_weight(batch: int) -> int:
    """Of an action with so many orders."""
    return 1 + batch // 40


class RequestQuota:
    """The requests that an account has left; they are earned by trading."""

    def __init__(self) -> None:
        self._used: dict[str, int] = {}
        self._last_extra: dict[str, int] = {}

    def used(self, account: Account) -> int:
        """So far."""
        return self._used.get(account.address, 0)

    @staticmethod
    def cap(account: Account) -> int:
        """What the account may use in all."""
        return _BUFFER + int(account.volume)

    def use(self, account: Account, requests: int, now: int, *, cancels: bool) -> str | None:
        """Count them, or say why not; over the limit one request in ten seconds is let through."""
        cap = self.cap(account)
        limit = min(cap + 100_000, 2 * cap) if cancels else cap
        used = self.used(account) + requests
        if used > limit:
            if now - self._last_extra.get(account.address, now - _ONE_PER_MS) < _ONE_PER_MS:
                return (
                    f"Too many cumulative requests sent ({used} > {limit}) for cumulative volume traded "
                    f"${wire(account.volume)}. Place taker orders to free up 1 request per USDC traded."
                )
            self._last_extra[account.address] = now
        self._used[account.address] = used
        return None
