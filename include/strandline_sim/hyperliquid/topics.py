"""What can be subscribed to."""

from typing import Any, Final, NamedTuple

from strandline_sim.hyperliquid.account import address_in
from strandline_sim.hyperliquid.public import INTERVALS

Subscription = dict[str, Any]
OF_COINS: Final = frozenset({"trades", "candle", "bbo", "l2Book", "activeAssetCtx"})
OF_USERS: Final = frozenset({"userFills", "orderUpdates", "userEvents", "userFundings"})


class Topic(NamedTuple):
    """One feed; sockets with the same topic get the same frames."""

    kind: str
    coin: str = ""
    user: str = ""
    interval: str = ""
    figures: int | None = None
    mantissa: int | None = None
    fast: bool = False
    aggregate: bool = False

    @property
    def channel(self) -> str:
        """What the frames are called; userEvents come under another name."""
        return "user" if self.kind == "userEvents" else self.kind

    def echo(self) -> Subscription:
        """The subscription as the venue repeats it, with its defaults and without what it does not know."""
        if self.kind == "allMids":
            return {"type": self.kind}
        if self.kind == "userFills":
            return {"type": self.kind, "user": self.user, "aggregateByTime": self.aggregate}
        if self.kind in OF_USERS:
            return {"type": self.kind, "user": self.user}
        if self.kind == "candle":
            return {"type": self.kind, "coin": self.coin, "interval": self.interval}
        if self.kind == "l2Book":
            more = {"fast": True} if self.fast else {}
            return {
                "type": self.kind, "coin": self.coin, "nSigFigs": self.figures, "mantissa": self.mantissa, **more
            }  # fmt: skip
        return {"type": self.kind, "coin": self.coin}


def topic_of(subscription: object, coins: set[str]) -> Topic | None:
    """None if there is no such feed."""
    if not isinstance(subscription, dict):
        return None
    kind = subscription.get("type")
    if kind == "allMids":
        return Topic(kind)
    if kind in OF_USERS:
        return _of_user(kind, subscription)
    if kind in OF_COINS and subscription.get("coin") in coins:
        return _of_coin(kind, subscription)
    return None


def _of_user(kind: str, subscription: Subscription) -> Topic | None:
    user = address_in(subscription.get("user"))
    if user is None:
        return None
    aggregate = kind == "userFills" and subscription.get("aggregateByTime") is True
    return Topic(kind, user=user, aggregate=aggregate)


def _of_coin(kind: str, subscription: Subscription) -> Topic | None:
    coin = subscription["coin"]
    if kind == "candle":
        interval = subscription.get("interval")
        return Topic(kind, coin=coin, interval=interval) if interval in INTERVALS else None
    if kind != "l2Book":
        return Topic(kind, coin=coin)
    figures, mantissa = subscription.get("nSigFigs"), subscription.get("mantissa")
    if figures not in {None, 2, 3, 4, 5} or mantissa not in {None, 1, 2, 5} or (mantissa and figures != 5):
        return None
    return Topic(kind, coin=coin, figures=figures, mantissa=mantissa, fast=subscription.get("fast") is True)
