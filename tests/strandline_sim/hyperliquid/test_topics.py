"""Acknowledgements contain the subscription that was sent, by which clients match them."""

from typing import Any

import pytest

from strandline_sim.hyperliquid.topics import topic_of

USER = "0x" + "ab" * 20


@pytest.mark.parametrize(
    "sent",
    [
        {"type": "trades", "coin": "BTC"},
        {"type": "candle", "coin": "BTC", "interval": "1m"},
        {"type": "bbo", "coin": "BTC"},
        {"type": "l2Book", "coin": "BTC"},
        {"type": "l2Book", "coin": "BTC", "nSigFigs": None, "mantissa": None},
        {"type": "l2Book", "coin": "BTC", "nSigFigs": 5, "mantissa": 2, "fast": True},
        {"type": "allMids"},
        {"type": "activeAssetCtx", "coin": "BTC"},
        {"type": "userFills", "user": USER},
        {"type": "userFills", "user": USER, "aggregateByTime": False},
        {"type": "userFills", "user": USER, "aggregateByTime": True},
        {"type": "orderUpdates", "user": USER},
        {"type": "userEvents", "user": USER},
        {"type": "clearinghouseState", "user": USER},
        {"type": "clearinghouseState", "user": USER, "dex": ""},
        {"type": "spotState", "user": USER},
        {"type": "spotState", "user": USER, "ignorePortfolioMargin": True},
        {"type": "openOrders", "user": USER, "dex": ""},
        {"type": "activeAssetData", "user": USER, "coin": "BTC"},
        {"type": "webData2", "user": USER},
        {"type": "webData3", "user": USER},
        {"type": "userFundings", "user": USER},
        {"type": "userNonFundingLedgerUpdates", "user": USER},
        {"type": "notification", "user": USER},
    ],
    ids=str,
)
def test_the_acknowledgement_contains_what_was_sent(sent: dict[str, Any]) -> None:
    topic = topic_of(sent, {"BTC"})
    assert topic is not None
    assert sent.items() <= topic.echo().items()


def test_an_explicit_default_is_the_same_topic() -> None:
    plain, explicit = {"type": "userFills", "user": USER}, {"type": "userFills", "user": USER, "aggregateByTime": False}
    assert topic_of(plain, set()) == topic_of(explicit, set())


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        [],
        {},
        {"type": "trades"},
        {"type": "trades", "coin": "NONE"},
        {"type": "userFills", "user": "0x12"},
        {"type": "openOrders", "user": USER, "dex": "xyz"},
        {"type": "clearinghouseState", "user": USER, "dex": ["x"]},
        {"type": "activeAssetData", "user": USER},
        {"type": "activeAssetData", "user": USER, "coin": "NONE"},
        {"type": "activeAssetData", "coin": "BTC"},
    ],
    ids=str,
)
def test_invalid_subscriptions_are_no_topics(wrong: object) -> None:
    assert topic_of(wrong, {"BTC"}) is None
