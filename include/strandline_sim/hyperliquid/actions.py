"""Executes signed actions, and makes the venue's responses."""

from decimal import Decimal
from typing import Any, Final

import msgspec

from strandline_sim.hyperliquid.account import Account, Leverage
from strandline_sim.hyperliquid.exchange import Exchange, Placed
from strandline_sim.hyperliquid.numbers import wire
from strandline_sim.hyperliquid.orders import Grouping, OrderSpec, Status, Tif, Trigger
from strandline_sim.hyperliquid.wire_actions import (
    Action,
    BatchModifyAction,
    CancelAction,
    CancelByCloidAction,
    IsolatedMarginAction,
    LeverageAction,
    ModifyAction,
    NoopAction,
    OrderAction,
    ScheduleCancelAction,
    WireOrder,
)

Answer = dict[str, Any]
WHOLE: Final = Decimal(1)
_USDC_UNITS: Final = 6


class MalformedError(Exception):
    """A request cannot be parsed."""


def decode_action(action: dict[str, Any]) -> Action:
    """Decode an action; raise MalformedError."""
    try:
        decoded: Action = msgspec.convert(action, Action)
    except msgspec.ValidationError as error:
        raise MalformedError(str(error)) from error
    return decoded


def ok(kind: str = "default", statuses: list[Any] | None = None) -> Answer:
    """Make the response to an action that was executed, at least in part."""
    response: Answer = {"type": kind}
    if statuses is not None:
        response["data"] = {"statuses": statuses}
    return {"status": "ok", "response": response}


def refused(text: str) -> Answer:
    """Make the response to an action that was refused."""
    return {"status": "err", "response": text}


def request_count(action: Action) -> int:
    """Return the number of requests that an action counts as."""
    if isinstance(action, OrderAction):
        return len(action.orders)
    if isinstance(action, CancelAction | CancelByCloidAction):
        return len(action.cancels)
    return len(action.modifies) if isinstance(action, BatchModifyAction) else 1


class Actions:
    """Executes the actions of accounts."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def execute(self, account: Account, action: Action, share: Decimal = WHOLE) -> Answer:
        """Execute a trading action; `share` is the fraction of each order that can fill at once."""
        if not self._assets_exist(action):
            return refused("Invalid asset.")
        if isinstance(action, OrderAction):
            return self._order(account, action, share)
        if isinstance(action, CancelAction | CancelByCloidAction):
            return ok("cancel", [self._cancelled(account, action, place) for place in range(len(action.cancels))])
        if isinstance(action, ModifyAction | BatchModifyAction):
            return self._modify(account, action)
        return _response(self._change_setting(account, action))

    def _order(self, account: Account, action: OrderAction, share: Decimal) -> Answer:
        if action.builder is not None:
            return refused("Builder fee has not been approved.")
        grouping = Grouping(action.grouping) if isinstance(action.grouping, str) else Grouping.NONE
        if grouping is not Grouping.NONE and not all(order.r for order in action.orders if order.t.trigger):
            return refused("TP/SL orders must be reduce only.")
        placed = self._exchange.place(account, [_order_spec(order) for order in action.orders], grouping, share)
        return ok("order", [self._status(one) for one in placed])

    def _cancelled(self, account: Account, action: CancelAction | CancelByCloidAction, place: int) -> str | Answer:
        if isinstance(action, CancelAction):
            one = action.cancels[place]
            asset, error = one.a, self._exchange.cancel(account, one.a, one.o)
        else:
            other = action.cancels[place]
            asset, error = other.asset, self._exchange.cancel_by_cloid(account, other.asset, other.cloid.lower())
        return "success" if error is None else {"error": f"{error} asset={asset}"}

    def _modify(self, account: Account, action: ModifyAction | BatchModifyAction) -> Answer:
        one_by_one = action.modifies if isinstance(action, BatchModifyAction) else [action]
        statuses: list[Any] = []
        for one in one_by_one:
            oid = one.oid.lower() if isinstance(one.oid, str) else one.oid
            done = self._exchange.modify(account, oid, _order_spec(one.order), always_place=action.a)
            statuses.append({"error": done} if isinstance(done, str) else self._status(done))
        if isinstance(action, BatchModifyAction):
            return ok("order", statuses)
        error = statuses[0].get("error") if isinstance(statuses[0], dict) else None
        return ok() if error is None else refused(error)

    def _change_setting(self, account: Account, action: Action) -> str | None:
        """Execute an action that changes a setting; return the error, if any."""
        exchange = self._exchange
        if isinstance(action, LeverageAction):
            leverage = Leverage(action.is_cross, action.leverage)
            return exchange.update_leverage(account, action.asset, leverage)
        if isinstance(action, IsolatedMarginAction):
            return exchange.update_isolated_margin(account, action.asset, Decimal(action.ntli).scaleb(-_USDC_UNITS))
        if isinstance(action, ScheduleCancelAction):
            return exchange.schedule_cancel(account, action.time)
        if isinstance(action, NoopAction):
            return None
        raise MalformedError(f"{type(action).__name__} is not signed as a trading action")

    def _status(self, placed: Placed) -> str | Answer:
        order, error = placed
        if error is not None:
            return {"error": error}
        named: Answer = {"oid": order.oid} | ({"cloid": order.spec.cloid} if order.spec.cloid else {})
        if order.awaits_trigger and (order.parent is not None or order.children):
            return "waitingForFill" if order.parent is not None else "waitingForTrigger"
        done = order.status in {Status.FILLED, Status.CANCELED, Status.REDUCE_ONLY_CANCELED}
        if order.filled and (done or self._exchange.rules.partial_answers_filled):
            average = (order.filled_value / order.filled).quantize(Decimal("0.000001")).normalize()
            return {"filled": {"totalSz": wire(order.filled), "avgPx": wire(average), **named}}
        return {"resting": named}

    def _assets_exist(self, action: Action) -> bool:
        return all(0 <= asset < len(self._exchange.listings) for asset in _assets(action))


def _assets(action: Action) -> list[int]:
    if isinstance(action, OrderAction):
        return [order.a for order in action.orders]
    if isinstance(action, ModifyAction):
        return [action.order.a]
    if isinstance(action, BatchModifyAction):
        return [one.order.a for one in action.modifies]
    return [action.asset] if isinstance(action, LeverageAction | IsolatedMarginAction) else []


def _response(error: str | None) -> Answer:
    return ok() if error is None else refused(error)


def _order_spec(order: WireOrder) -> OrderSpec:
    limit, trigger = order.t.limit, order.t.trigger
    if (limit is None) is (trigger is None):
        raise MalformedError("an order is either limit or trigger")
    return OrderSpec(
        asset=order.a,
        is_buy=order.b,
        px=Decimal(order.p),
        size=Decimal(order.s),
        reduce_only=order.r,
        tif=Tif.GTC if limit is None else Tif(limit.tif),
        trigger=None
        if trigger is None
        else Trigger(Decimal(trigger.trigger_px), trigger.is_market, trigger.tpsl == "tp"),
        cloid=None if order.c is None else order.c.lower(),
    )
