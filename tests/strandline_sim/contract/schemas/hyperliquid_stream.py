"""The frames of the WebSocket, by topic, and those that answer the client's own messages."""

from collections.abc import Mapping
from typing import Final

from tests.strandline_sim.contract.schemas.build import (
    BOOLEAN,
    NATURAL,
    Schema,
    array,
    either,
    literal,
    mapping,
    more,
    nullable,
    record,
    row,
    sentence,
    text,
)
from tests.strandline_sim.contract.schemas.hyperliquid_common import (
    ACTIVE_ASSET,
    ADDRESS,
    BOOK,
    CANDLE,
    CLEARINGHOUSE,
    COIN,
    CONTEXT,
    DECIMAL,
    FILL,
    FRONTEND_ORDER,
    FUNDING,
    INTERVAL,
    LEDGER_UPDATE,
    LEVEL,
    MILLISECONDS,
    ORDER_UPDATE,
    SPOT_BALANCES,
    TRADE,
    UNSIGNED,
    WEB_DATA_2,
    WEB_DATA_3,
)

_CHANNELS: Final = {"userEvents": "user"}
_SNAPSHOT: Final = {"isSnapshot": BOOLEAN}
_LIQUIDATION: Final = record(
    lid=NATURAL,
    liquidator=ADDRESS,
    liquidated_user=ADDRESS,
    liquidated_ntl_pos=UNSIGNED,
    liquidated_account_value=DECIMAL,
)
_DATA: Final[dict[str, Schema]] = {
    "activeAssetCtx": record(coin=COIN, ctx=CONTEXT),
    "activeAssetData": ACTIVE_ASSET,
    "allMids": record(mids=mapping(UNSIGNED), optional={"dex": literal("")}),
    "bbo": record(coin=COIN, time=MILLISECONDS, bbo=row(nullable(LEVEL), nullable(LEVEL))),
    "candle": CANDLE,
    "clearinghouseState": record(dex=literal(""), user=ADDRESS, clearinghouseState=CLEARINGHOUSE),
    "l2Book": more(BOOK, optional={"fast": literal(True)}),
    "notification": record(notification=text(".+")),
    "openOrders": record(dex=literal(""), user=ADDRESS, orders=array(FRONTEND_ORDER)),
    "orderUpdates": array(ORDER_UPDATE, least=1),
    "spotState": record(user=ADDRESS, spotState=SPOT_BALANCES),
    "trades": array(TRADE, least=1),
    "userEvents": either(
        {"title": "fills", **record(fills=array(FILL, least=1))},
        {"title": "funding", **record(funding=FUNDING)},
        {"title": "liquidation", **record(liquidation=_LIQUIDATION)},
        {"title": "nonUserCancel", **record(nonUserCancel=array(record(coin=COIN, oid=NATURAL), least=1))},
    ),
    "userFills": record(user=ADDRESS, fills=array(FILL), optional=_SNAPSHOT),
    "userFundings": record(user=ADDRESS, fundings=array(FUNDING), optional=_SNAPSHOT),
    "userNonFundingLedgerUpdates": record(
        user=ADDRESS, nonFundingLedgerUpdates=array(LEDGER_UPDATE), optional=_SNAPSHOT
    ),
    "webData2": WEB_DATA_2,
    "webData3": WEB_DATA_3,
}


def _frame(topic: str, data: Schema) -> Schema:
    return record(channel=literal(_CHANNELS.get(topic, topic)), data=data)


TOPICS: Final[dict[str, Schema]] = {topic: _frame(topic, data) for topic, data in _DATA.items()}

_OF_A_COIN: Final = ("trades", "bbo", "activeAssetCtx")
_OF_A_USER: Final = (
    "orderUpdates", "userEvents", "userFundings", "userNonFundingLedgerUpdates", "notification", "webData2", "webData3",
)  # fmt: skip
_SUBSCRIPTIONS: Final[Mapping[str, Schema]] = {
    "allMids": record(type=literal("allMids"), optional={"dex": literal("")}),
    "candle": record(type=literal("candle"), coin=COIN, interval=INTERVAL),
    "l2Book": record(
        type=literal("l2Book"),
        coin=COIN,
        optional={
            "nSigFigs": literal(2, 3, 4, 5, None),
            "mantissa": literal(1, 2, 5, None),
            "fast": BOOLEAN,
        },
    ),
    "userFills": record(type=literal("userFills"), user=ADDRESS, optional={"aggregateByTime": BOOLEAN}),
    "spotState": record(type=literal("spotState"), user=ADDRESS, optional={"ignorePortfolioMargin": BOOLEAN}),
    "activeAssetData": record(type=literal("activeAssetData"), user=ADDRESS, coin=COIN),
    **{name: record(type=literal(name), coin=COIN) for name in _OF_A_COIN},
    **{name: record(type=literal(name), user=ADDRESS) for name in _OF_A_USER},
    **{
        name: record(type=literal(name), user=ADDRESS, dex=literal("")) for name in ("clearinghouseState", "openOrders")
    },
}
_SUBSCRIPTION: Final = either(*({"title": name, **schema} for name, schema in _SUBSCRIPTIONS.items()))
_POST_ERROR: Final = sentence("429 Too Many Requests")
_OBJECT: Final = r"\{.*\}"


def answers(info: Mapping[str, Schema], exchange: Mapping[str, Schema]) -> dict[str, Schema]:
    """Describe the frames that answer a client's message, some of which carry what /info and /exchange answer."""
    queried = (
        {"title": name, **record(type=literal(name), data=schema)}
        for name, schema in info.items()
        if name in ("l2Book", "clearinghouseState")
    )
    response = either(
        {"title": "info", **record(type=literal("info"), payload=either(*queried))},
        {"title": "action", **record(type=literal("action"), payload=exchange["order"])},
        {"title": "error", **record(type=literal("error"), payload=_POST_ERROR)},
    )
    return {
        "subscriptionResponse": record(
            channel=literal("subscriptionResponse"),
            data=record(method=literal("subscribe", "unsubscribe"), subscription=_SUBSCRIPTION),
        ),
        "error": record(
            channel=literal("error"),
            data=either(
                sentence("Already subscribed: {json}", json=_OBJECT),
                sentence("Already unsubscribed: {json}", json=_OBJECT),
                sentence("Invalid subscription {json}", json=_OBJECT),
                sentence("Error parsing JSON into valid websocket request: {json}", json=".*"),
                sentence("Cannot track more than {number} total users.", number="[0-9]+"),
                # The venue's words for these two are not documented.
                sentence("Cannot track more than {number} total subscriptions.", number="[0-9]+"),
                sentence("Too many websocket messages sent to server."),
            ),
        ),
        "pong": record(channel=literal("pong")),
        "post": record(channel=literal("post"), data=record(id=NATURAL, response=response)),
    }
