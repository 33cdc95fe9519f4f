"""The venue's JSON of accounts, orders and fills."""

from decimal import Decimal
from typing import Any, Final

from strandline_sim.hyperliquid.account import (
    Account,
    Fill,
    FundingPayment,
    LiquidationStart,
    OrderUpdate,
    Position,
    Transfer,
)
from strandline_sim.hyperliquid.margin import Margins, Summary
from strandline_sim.hyperliquid.numbers import ZERO, wire
from strandline_sim.hyperliquid.orders import Order

Json = dict[str, Any]
_USDC_STEP: Final = Decimal("0.000001")
_RATIO: Final = Decimal("0.0000000001")
_NO_HASH: Final = "0x" + "0" * 64


def rounded(value: Decimal, step: Decimal = _USDC_STEP) -> str:
    """Format an inexact value with the venue's number of digits."""
    return wire(value.quantize(step))


def side_of(is_buy: bool) -> str:
    """Return B for a bid, A for an ask."""
    return "B" if is_buy else "A"


def basic_order(order: Order) -> Json:
    """Make the JSON of an order in openOrders and orderUpdates."""
    data: Json = {
        "coin": order.coin,
        "side": side_of(order.spec.is_buy),
        "limitPx": wire(order.spec.px),
        "sz": wire(order.remaining),
        "oid": order.oid,
        "timestamp": order.placed_at,
        "origSz": wire(order.size),
    }
    if order.spec.cloid is not None:
        data["cloid"] = order.spec.cloid
    if order.spec.reduce_only:
        data["reduceOnly"] = True
    return data


def frontend_order(order: Order) -> Json:
    """Make the JSON of an order in frontendOpenOrders, orderStatus and historicalOrders."""
    trigger = order.spec.trigger
    return basic_order(order) | {
        "triggerCondition": trigger.condition(order.spec.is_buy) if trigger else "N/A",
        "isTrigger": trigger is not None,
        "triggerPx": wire(trigger.px) if trigger else "0.0",
        "children": [],
        "isPositionTpsl": order.whole_position,
        "reduceOnly": order.spec.reduce_only,
        "orderType": _order_type(order),
        "tif": None if trigger else order.spec.tif,
        "cloid": order.spec.cloid,
    }


def order_update(update: OrderUpdate) -> Json:
    """Make the JSON of an update in the orderUpdates feed."""
    return {"order": basic_order(update.order), "status": update.status, "statusTimestamp": update.at}


def historical_order(update: OrderUpdate) -> Json:
    """Make the JSON of an update in historicalOrders and orderStatus."""
    return {"order": frontend_order(update.order), "status": update.status, "statusTimestamp": update.at}


def fill(one: Fill, user: str) -> Json:
    """Make the JSON of a fill in userFills."""
    data: Json = {
        "coin": one.coin,
        "px": wire(one.px),
        "sz": wire(one.size),
        "side": side_of(one.is_buy),
        "time": one.time,
        "startPosition": wire(one.start_position),
        "dir": one.direction,
        "closedPnl": wire(one.closed_pnl),
        "hash": one.hash,
        "oid": one.oid,
        "crossed": one.crossed,
        "fee": wire(one.fee),
        "tid": one.tid,
        "feeToken": "USDC",
        "twapId": None,
    }
    if one.cloid is not None:
        data["cloid"] = one.cloid
    if one.liquidation is not None:
        mark, method = one.liquidation
        data["liquidation"] = {"liquidatedUser": user, "markPx": wire(mark), "method": method}
    return data


def funding(payment: FundingPayment) -> Json:
    """Make the JSON of a payment in userFunding."""
    delta = {
        "type": "funding",
        "coin": payment.coin,
        "usdc": wire(payment.usdc),
        "szi": wire(payment.size),
        "fundingRate": wire(payment.rate),
        "nSamples": None,
    }
    return {"time": payment.time, "hash": payment.hash or _NO_HASH, "delta": delta}


def ledger_update(one: Transfer | LiquidationStart) -> Json:
    """Make the JSON of a deposit or a liquidation in userNonFundingLedgerUpdates."""
    if isinstance(one, Transfer):
        delta: Json = {"type": "deposit", "usdc": wire(one.usdc)}
    else:
        delta = {
            "type": "liquidation",
            "liquidatedNtlPos": rounded(one.notional),
            "accountValue": rounded(one.account_value),
            "leverageType": "Cross" if one.is_cross else "Isolated",
            "liquidatedPositions": [{"coin": coin, "szi": wire(size)} for coin, size in one.positions.items()],
        }
    return {"time": one.time, "hash": one.hash, "delta": delta}


def clearinghouse_state(account: Account, margins: Margins, at: int) -> Json:
    """Make the JSON of clearinghouseState: positions and margin."""
    return {
        "marginSummary": _summary(margins.summary(account, cross_only=False)),
        "crossMarginSummary": _summary(margins.summary(account, cross_only=True)),
        "crossMaintenanceMarginUsed": rounded(margins.cross_maintenance(account)),
        "withdrawable": rounded(margins.withdrawable(account)),
        "assetPositions": [
            {"type": "oneWay", "position": _position(account, coin, position, margins)}
            for coin, position in account.positions.items()
            if position.size
        ],
        "time": at,
    }


def spot_state() -> Json:
    """Make the JSON of spotClearinghouseState; there is no spot, so that nobody has a balance."""
    return {"balances": []}


def active_asset_data(account: Account, coin: str, margins: Margins, mark: Decimal) -> Json:
    """Make the JSON of activeAssetData: a coin's leverage, and the sizes that the free margin allows."""
    leverage, free = margins.leverage(account, coin), max(margins.available(account), ZERO)
    kind: Json = {"type": "cross" if leverage.is_cross else "isolated", "value": leverage.value}
    if not leverage.is_cross:
        position = account.positions.get(coin)
        kind["rawUsd"] = wire(ZERO if position is None else position.isolated or ZERO)
    most = rounded(free * leverage.value / mark)
    return {
        "user": account.address,
        "coin": coin,
        "leverage": kind,
        "maxTradeSzs": [most, most],
        "availableToTrade": [rounded(free), rounded(free)],
        "markPx": wire(mark),
    }


def _summary(summary: Summary) -> Json:
    return {
        "accountValue": rounded(summary.account_value),
        "totalNtlPos": rounded(summary.notional),
        "totalRawUsd": wire(summary.raw_usd),
        "totalMarginUsed": rounded(summary.margin_used),
    }


def _position(account: Account, coin: str, position: Position, margins: Margins) -> Json:
    leverage = margins.leverage(account, coin)
    value = margins.value(coin, position)
    profit = value - position.cost
    kind: Json = {"type": "cross" if position.isolated is None else "isolated", "value": leverage.value}
    if position.isolated is not None:
        kind["rawUsd"] = wire(position.isolated)
    liquidation = margins.liquidation_px(account, coin)
    initial_margin = abs(position.cost) / leverage.value
    return {
        "coin": coin,
        "szi": wire(position.size),
        "leverage": kind,
        "entryPx": rounded(abs(position.cost / position.size)),
        "positionValue": rounded(abs(value)),
        "unrealizedPnl": rounded(profit),
        "returnOnEquity": rounded(profit / initial_margin if initial_margin else ZERO, _RATIO),
        "liquidationPx": None if liquidation is None else rounded(liquidation),
        "marginUsed": rounded(margins.used(account, coin, position)),
        "maxLeverage": margins.max_leverage(coin),
        "cumFunding": {
            "allTime": wire(position.funding_ever),
            "sinceOpen": wire(position.funding_since_open),
            "sinceChange": wire(position.funding_since_change),
        },
    }


def _order_type(order: Order) -> str:
    trigger = order.spec.trigger
    if trigger is None:
        return "Market" if order.spec.tif.is_market else "Limit"
    return f"{'Take Profit' if trigger.is_take_profit else 'Stop'} {'Market' if trigger.is_market else 'Limit'}"
