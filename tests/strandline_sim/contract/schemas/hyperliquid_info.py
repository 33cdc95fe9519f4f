"""The answers of /info, by type."""

from typing import Final

from tests.strandline_sim.contract.schemas.build import (
    BOOLEAN,
    INTEGER,
    NATURAL,
    NULL,
    WORDS,
    Schema,
    array,
    either,
    literal,
    mapping,
    nullable,
    record,
    row,
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
    HASH,
    HISTORICAL_ORDER,
    LEDGER_UPDATE,
    META,
    MILLISECONDS,
    OPEN_ORDER,
    SPOT_BALANCES,
    TRADE,
    UNSIGNED,
    WEB_DATA_2,
)

_SPOT_META: Final = record(
    universe=array(record(tokens=row(NATURAL, NATURAL), name=WORDS, index=NATURAL, isCanonical=BOOLEAN)),
    tokens=array(
        record(
            name=WORDS,
            szDecimals=NATURAL,
            weiDecimals=NATURAL,
            index=NATURAL,
            tokenId=text("0x[0-9a-f]{32}"),
            isCanonical=BOOLEAN,
            evmContract=nullable(record(address=ADDRESS, evm_extra_wei_decimals=INTEGER)),
            fullName=nullable(WORDS),
            optional={"deployerTradingFeeShare": UNSIGNED},
        ),
        least=1,
    ),
)
_SPOT_CONTEXT: Final = record(
    prevDayPx=UNSIGNED,
    dayNtlVlm=UNSIGNED,
    markPx=UNSIGNED,
    midPx=nullable(UNSIGNED),
    circulatingSupply=UNSIGNED,
    coin=COIN,
    totalSupply=UNSIGNED,
    dayBaseVlm=UNSIGNED,
)
_PREDICTION: Final = record(
    fundingRate=DECIMAL, nextFundingTime=MILLISECONDS, optional={"fundingIntervalHours": NATURAL}
)
_PERIOD: Final = record(
    accountValueHistory=array(row(MILLISECONDS, DECIMAL), least=1),
    pnlHistory=array(row(MILLISECONDS, DECIMAL), least=1),
    vlm=UNSIGNED,
)
_PERIODS: Final = ("day", "week", "month", "allTime", "perpDay", "perpWeek", "perpMonth", "perpAllTime")
_DISCOUNT: Final = record(bpsOfMaxSupply=UNSIGNED, discount=UNSIGNED)
_FEES: Final = record(
    dailyUserVlm=array(
        record(date=text("[0-9]{4}-[0-9]{2}-[0-9]{2}"), userCross=UNSIGNED, userAdd=UNSIGNED, exchange=UNSIGNED)
    ),
    feeSchedule=record(
        cross=UNSIGNED,
        add=DECIMAL,
        spotCross=UNSIGNED,
        spotAdd=DECIMAL,
        tiers=record(
            vip=array(record(ntlCutoff=UNSIGNED, cross=UNSIGNED, add=DECIMAL, spotCross=UNSIGNED, spotAdd=DECIMAL)),
            mm=array(record(makerFractionCutoff=UNSIGNED, add=DECIMAL)),
        ),
        referralDiscount=UNSIGNED,
        stakingDiscountTiers=array(_DISCOUNT),
    ),
    userCrossRate=DECIMAL,
    userAddRate=DECIMAL,
    userSpotCrossRate=DECIMAL,
    userSpotAddRate=DECIMAL,
    activeReferralDiscount=UNSIGNED,
    trial=NULL,
    feeTrialEscrow=UNSIGNED,
    nextTrialAvailableTimestamp=NULL,
    stakingLink=NULL,
    activeStakingDiscount=_DISCOUNT,
)

INFO: Final[dict[str, Schema]] = {
    "activeAssetData": ACTIVE_ASSET,
    "allMids": mapping(UNSIGNED),
    "candleSnapshot": array(CANDLE, most=5000),
    "clearinghouseState": CLEARINGHOUSE,
    "exchangeStatus": record(time=MILLISECONDS, specialStatuses=NULL),
    "extraAgents": array(record(name=WORDS, address=ADDRESS, validUntil=MILLISECONDS)),
    "frontendOpenOrders": array(FRONTEND_ORDER),
    "fundingHistory": array(record(coin=COIN, fundingRate=DECIMAL, premium=DECIMAL, time=MILLISECONDS), most=500),
    "historicalOrders": array(HISTORICAL_ORDER, most=2000),
    "l2Book": BOOK,
    "maxBuilderFee": NATURAL,
    "meta": META,
    "metaAndAssetCtxs": row(META, array(CONTEXT, least=1)),
    "openOrders": array(OPEN_ORDER),
    "orderStatus": either(
        {"title": "order", **record(status=literal("order"), order=HISTORICAL_ORDER)},
        {"title": "unknown", **record(status=literal("unknownOid"))},
    ),
    "perpDexs": row(NULL),
    "perpsAtOpenInterestCap": array(COIN),
    "portfolio": row(*(row(literal(name), _PERIOD) for name in _PERIODS)),
    "predictedFundings": array(
        row(COIN, array(row(literal("BinPerp", "HlPerp", "BybitPerp"), nullable(_PREDICTION)), least=1)), least=1
    ),
    "recentTrades": array(TRADE),
    "spotClearinghouseState": SPOT_BALANCES,
    "spotMeta": _SPOT_META,
    "spotMetaAndAssetCtxs": row(_SPOT_META, array(_SPOT_CONTEXT)),
    "subAccounts": NULL,
    "userAbstraction": literal("unifiedAccount", "portfolioMargin", "disabled", "default", "dexAbstraction"),
    "userFees": _FEES,
    "userFills": array(FILL, most=2000),
    "userFillsByTime": array(FILL, most=2000),
    "userFunding": array(
        record(
            time=MILLISECONDS,
            hash=HASH,
            delta=record(
                type=literal("funding"),
                coin=COIN,
                usdc=DECIMAL,
                szi=DECIMAL,
                fundingRate=DECIMAL,
                nSamples=nullable(NATURAL),
            ),
        ),
        most=500,
    ),
    "userNonFundingLedgerUpdates": array(LEDGER_UPDATE, most=500),
    "userRateLimit": record(cumVlm=UNSIGNED, nRequestsUsed=NATURAL, nRequestsCap=NATURAL, nRequestsSurplus=NATURAL),
    "userRole": either(
        {"title": "plain", **record(role=literal("user", "missing", "vault"))},
        {"title": "agent", **record(role=literal("agent"), data=record(user=ADDRESS))},
        {"title": "subAccount", **record(role=literal("subAccount"), data=record(master=ADDRESS))},
    ),
    "webData2": WEB_DATA_2,
}
REFUSED_QUERY: Final = literal("Failed to deserialize the JSON body into the target type")
