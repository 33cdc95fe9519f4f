"""The topics of subscriptions."""

from typing import Any, Final, NamedTuple

from strandline_sim.hyperliquid.account import address_in
from strandline_sim.hyperliquid.public_data import INTERVALS, is_precision

Subscription = dict[str, Any]
COIN_TOPICS: Final = frozenset({"trades", "candle", "bbo", "l2Book", "activeAssetCtx"})
ACCOUNT_STATES: Final = frozenset(
    {"clearinghouseState", "spotState", "openOrders", "activeAssetData", "webData2", "webData3"}
)
USER_TOPICS: Final = ACCOUNT_STATES | {
    "userFills", "orderUpdates", "userEvents", "userFundings", "userNonFundingLedgerUpdates", "notification",
}  # fmt: skip
_OF_A_DEX: Final = frozenset({"clearinghouseState", "openOrders"})


class Topic(NamedTuple):
    """A topic: its subscribers get the same frames."""

    kind: str
    coin: str = ""
    user: str = ""
    interval: str = ""
    figures: int | None = None
    mantissa: int | None = None
    fast: bool = False
    aggregate: bool = False
    ignore_portfolio_margin: bool = False

    @property
    def channel(self) -> str:
        """The channel of the frames; that of userEvents has another name."""
        return "user" if self.kind == "userEvents" else self.kind

    def echo(self) -> Subscription:
        """Return the subscription as the venue acknowledges it, with defaults and without unknown fields."""
        if self.kind == "allMids":
            return {"type": self.kind}
        if self.kind == "userFills":
            return {"type": self.kind, "user": self.user, "aggregateByTime": self.aggregate}
        if self.kind == "spotState":
            return {"type": self.kind, "user": self.user, "ignorePortfolioMargin": self.ignore_portfolio_margin}
        if self.kind in _OF_A_DEX:
            return {"type": self.kind, "user": self.user, "dex": ""}
        if self.kind == "activeAssetData":
            return {"type": self.kind, "user": self.user, "coin": self.coin}
        if self.kind in USER_TOPICS:
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
    """Parse a subscription; None if there is no such topic."""
    if not isinstance(subscription, dict):
        return None
    kind = subscription.get("type")
    if kind == "allMids":
        return Topic(kind)
    if not isinstance(kind, str) or not isinstance(subscription.get("coin", ""), str):
        return None
    if kind in USER_TOPICS:
        return _user_topic(kind, subscription, coins)
    if kind in COIN_TOPICS and subscription.get("coin") in coins:
        return _coin_topic(kind, subscription)
    return None


def _user_topic(kind: str, subscription: Subscription, coins: set[str]) -> Topic | None:
    user = address_in(subscription.get("user"))
    if user is None or (kind in _OF_A_DEX and subscription.get("dex") not in (None, "")):
        return None
    if kind == "activeAssetData":
        coin = subscription.get("coin")
        return Topic(kind, coin=coin, user=user) if isinstance(coin, str) and coin in coins else None
    aggregate = kind == "userFills" and subscription.get("aggregateByTime") is True
    ignore = kind == "spotState" and subscription.get("ignorePortfolioMargin") is True
    return Topic(kind, user=user, aggregate=aggregate, ignore_portfolio_margin=ignore)


def _coin_topic(kind: str, subscription: Subscription) -> Topic | None:
    coin = subscription["coin"]
    if kind == "candle":
        interval = subscription.get("interval")
        if not isinstance(interval, str) or interval not in INTERVALS:
            return None
        return Topic(kind, coin=coin, interval=interval)
    if kind != "l2Book":
        return Topic(kind, coin=coin)
    figures, mantissa = subscription.get("nSigFigs"), subscription.get("mantissa")
    if not is_precision(figures, mantissa):
        return None
    return Topic(kind, coin=coin, figures=figures, mantissa=mantissa, fast=subscription.get("fast") is True)
