"""What several answers of Hyperliquid have in common: numbers, orders, fills, an account's state."""

from typing import Final

from tests.strandline_sim.contract.schemas.build import (
    BOOLEAN,
    INTEGER,
    NATURAL,
    NULL,
    STRING,
    WORDS,
    Schema,
    array,
    either,
    literal,
    more,
    nullable,
    record,
    row,
    text,
)

# Decimals are text with a point, without an exponent and without needless zeros.
_UNSIGNED: Final = r"(0|[1-9][0-9]*)\.(0|[0-9]*[1-9])"
UNSIGNED: Final = text(_UNSIGNED)
DECIMAL: Final = text(rf"-?(?!0\.0$){_UNSIGNED}|0\.0")
MILLISECONDS: Final[Schema] = {"type": "integer", "minimum": 1_000_000_000_000, "maximum": 9_999_999_999_999}
COIN: Final = WORDS
ADDRESS: Final = text("0x[0-9a-f]{40}")
HASH: Final = text("0x[0-9a-f]{64}")
CLOID: Final = text("0x[0-9a-f]{32}")
SIDE: Final = literal("A", "B")
TRADE_ID: Final[Schema] = {"type": "integer", "minimum": 0, "maximum": 2**50 - 1}
INTERVAL: Final = literal("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "8h", "12h", "1d", "3d", "1w", "1M")
STATUS: Final = literal(
    "open", "filled", "canceled", "triggered", "rejected",
    "marginCanceled", "vaultWithdrawalCanceled", "openInterestCapCanceled", "selfTradeCanceled", "reduceOnlyCanceled",
    "siblingFilledCanceled", "delistedCanceled", "liquidatedCanceled", "scheduledCancel", "outcomeSettledCanceled",
    "internalCancel",
    "tickRejected", "minTradeNtlRejected", "perpMarginRejected", "reduceOnlyRejected", "badAloPxRejected",
    "iocCancelRejected", "badTriggerPxRejected", "marketOrderNoLiquidityRejected",
    "positionIncreaseAtOpenInterestCapRejected", "positionFlipAtOpenInterestCapRejected",
    "tooAggressiveAtOpenInterestCapRejected", "openInterestIncreaseRejected", "insufficientSpotBalanceRejected",
    "oracleRejected", "perpMaxPositionRejected", "tooManyOpenOrdersRejected",
)  # fmt: skip

LEVEL: Final = record(px=UNSIGNED, sz=UNSIGNED, n={"type": "integer", "minimum": 1})
BOOK: Final = record(
    coin=COIN,
    time=MILLISECONDS,
    levels=row(array(LEVEL, most=20), array(LEVEL, most=20)),
    optional={"spread": UNSIGNED},
)
TRADE: Final = record(
    coin=COIN,
    side=SIDE,
    px=UNSIGNED,
    sz=UNSIGNED,
    time=MILLISECONDS,
    hash=HASH,
    tid=TRADE_ID,
    users=row(ADDRESS, ADDRESS),
)
CANDLE: Final = record(
    t=MILLISECONDS,
    T=MILLISECONDS,
    s=COIN,
    i=INTERVAL,
    o=UNSIGNED,
    c=UNSIGNED,
    h=UNSIGNED,
    l=UNSIGNED,
    v=UNSIGNED,
    n=NATURAL,
)
CONTEXT: Final = record(
    funding=DECIMAL,
    openInterest=UNSIGNED,
    prevDayPx=UNSIGNED,
    dayNtlVlm=UNSIGNED,
    premium=nullable(DECIMAL),
    oraclePx=UNSIGNED,
    markPx=UNSIGNED,
    midPx=nullable(UNSIGNED),
    impactPxs=nullable(row(UNSIGNED, UNSIGNED)),
    dayBaseVlm=UNSIGNED,
)
META: Final = record(
    universe=array(
        record(
            szDecimals=NATURAL,
            name=COIN,
            maxLeverage=NATURAL,
            marginTableId=NATURAL,
            optional={
                "isDelisted": literal(True),
                "onlyIsolated": literal(True),
                "marginMode": literal("strictIsolated", "noCross"),
            },
        ),
        least=1,
    ),
    marginTables=array(
        row(
            NATURAL,
            record(description=STRING, marginTiers=array(record(lowerBound=UNSIGNED, maxLeverage=NATURAL), least=1)),
        )
    ),
    collateralToken=NATURAL,
)

OPEN_ORDER: Final = record(
    coin=COIN,
    side=SIDE,
    limitPx=UNSIGNED,
    sz=UNSIGNED,
    oid=NATURAL,
    timestamp=MILLISECONDS,
    origSz=UNSIGNED,
    optional={"cloid": CLOID, "reduceOnly": literal(True)},
)
FRONTEND_ORDER: Final = more(
    OPEN_ORDER,
    triggerCondition=text(r"N/A|Triggered|Price (above|below) [0-9]+(\.[0-9]+)?"),
    isTrigger=BOOLEAN,
    triggerPx=UNSIGNED,
    children={"type": "array"},
    isPositionTpsl=BOOLEAN,
    reduceOnly=BOOLEAN,
    orderType=literal("Limit", "Market", "Stop Market", "Stop Limit", "Take Profit Market", "Take Profit Limit"),
    tif=literal("Gtc", "Ioc", "Alo", "FrontendMarket", "LiquidationMarket", None),
    cloid=nullable(CLOID),
)
HISTORICAL_ORDER: Final = record(order=FRONTEND_ORDER, status=STATUS, statusTimestamp=MILLISECONDS)
ORDER_UPDATE: Final = record(order=OPEN_ORDER, status=STATUS, statusTimestamp=MILLISECONDS)

FILL: Final = record(
    coin=COIN,
    px=UNSIGNED,
    sz=UNSIGNED,
    side=SIDE,
    time=MILLISECONDS,
    startPosition=DECIMAL,
    dir=literal(
        "Open Long", "Close Long", "Open Short", "Close Short", "Long > Short", "Short > Long", "Buy", "Sell",
        "Liquidated Cross Long", "Liquidated Cross Short", "Liquidated Isolated Long", "Liquidated Isolated Short",
    ),
    closedPnl=DECIMAL,
    hash=HASH,
    oid=NATURAL,
    crossed=BOOLEAN,
    fee=DECIMAL,
    tid=TRADE_ID,
    feeToken=literal("USDC"),
    twapId=nullable(NATURAL),
    optional={
        "cloid": CLOID,
        "builderFee": DECIMAL,
        "liquidation": record(
            markPx=UNSIGNED, method=literal("market", "backstop"), optional={"liquidatedUser": ADDRESS}
        ),
    },
)  # fmt: skip
LEDGER_UPDATE: Final = record(
    time=MILLISECONDS,
    hash=HASH,
    delta=either(
        {"title": "deposit", **record(type=literal("deposit"), usdc=UNSIGNED)},
        {
            "title": "liquidation",
            **record(
                type=literal("liquidation"),
                liquidatedNtlPos=UNSIGNED,
                accountValue=DECIMAL,
                leverageType=literal("Cross", "Isolated"),
                liquidatedPositions=array(record(coin=COIN, szi=DECIMAL), least=1),
            ),
        },
    ),
)

LEVERAGE: Final = either(
    {"title": "cross", **record(type=literal("cross"), value=NATURAL)},
    {"title": "isolated", **record(type=literal("isolated"), value=NATURAL, rawUsd=DECIMAL)},
)
_SUMMARY: Final = record(accountValue=UNSIGNED, totalNtlPos=UNSIGNED, totalRawUsd=DECIMAL, totalMarginUsed=UNSIGNED)
CLEARINGHOUSE: Final = record(
    marginSummary=_SUMMARY,
    crossMarginSummary=_SUMMARY,
    crossMaintenanceMarginUsed=UNSIGNED,
    withdrawable=UNSIGNED,
    assetPositions=array(
        record(
            type=literal("oneWay"),
            position=record(
                coin=COIN,
                szi=DECIMAL,
                leverage=LEVERAGE,
                entryPx=UNSIGNED,
                positionValue=UNSIGNED,
                unrealizedPnl=DECIMAL,
                returnOnEquity=DECIMAL,
                liquidationPx=nullable(UNSIGNED),
                marginUsed=UNSIGNED,
                maxLeverage=NATURAL,
                cumFunding=record(allTime=DECIMAL, sinceOpen=DECIMAL, sinceChange=DECIMAL),
            ),
        )
    ),
    time=MILLISECONDS,
)
ACTIVE_ASSET: Final = record(
    user=ADDRESS,
    coin=COIN,
    leverage=LEVERAGE,
    maxTradeSzs=row(UNSIGNED, UNSIGNED),
    availableToTrade=row(UNSIGNED, UNSIGNED),
    markPx=UNSIGNED,
)
_USER: Final = record(
    agentAddress=nullable(ADDRESS),
    agentValidUntil=nullable(MILLISECONDS),
    cumLedger=DECIMAL,
    serverTime=MILLISECONDS,
    isVault=BOOLEAN,
    user=ADDRESS,
)
_NOTHING: Final[Schema] = {"type": "array", "maxItems": 0}
SPOT_BALANCES: Final = record(
    balances=array(record(coin=COIN, token=NATURAL, total=UNSIGNED, hold=UNSIGNED, entryNtl=UNSIGNED))
)
WEB_DATA_2: Final = more(
    _USER,
    clearinghouseState=CLEARINGHOUSE,
    leadingVaults=_NOTHING,
    totalVaultEquity=UNSIGNED,
    openOrders=array(FRONTEND_ORDER),
    meta=META,
    assetCtxs=array(CONTEXT, least=1),
    twapStates=_NOTHING,
    spotAssetCtxs=_NOTHING,
    optional={"spotState": SPOT_BALANCES, "perpsAtOpenInterestCap": array(COIN)},
)
WEB_DATA_3: Final = record(
    userState=more(
        _USER,
        optional={"abstraction": literal("dexAbstraction", "unifiedAccount", "portfolioMargin", "disabled")},
    ),
    perpDexStates=array(
        record(totalVaultEquity=UNSIGNED, optional={"perpsAtOpenInterestCap": array(COIN), "leadingVaults": _NOTHING}),
        least=1,
    ),
)
FUNDING: Final = record(
    time=MILLISECONDS,
    coin=COIN,
    usdc=DECIMAL,
    szi=DECIMAL,
    fundingRate=DECIMAL,
    optional={"nSamples": either(INTEGER, NULL)},
)
