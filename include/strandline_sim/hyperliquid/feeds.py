"""Makes the feeds: a snapshot for a new subscriber, then updates."""

from collections import defaultdict
from typing import Any, Final

from strandline_sim.hyperliquid import account_json
from strandline_sim.hyperliquid.account import Account, Fill, FundingPayment, LiquidationStart, OrderUpdate, Transfer
from strandline_sim.hyperliquid.agents import Agents
from strandline_sim.hyperliquid.broadcaster import Broadcaster
from strandline_sim.hyperliquid.exchange import Exchange
from strandline_sim.hyperliquid.numbers import wire
from strandline_sim.hyperliquid.orders import Status
from strandline_sim.hyperliquid.public_data import INTERVALS, PublicData, candle_json, trade_json
from strandline_sim.hyperliquid.topics import ACCOUNT_STATES, Topic
from strandline_sim.hyperliquid.web_data import web_data2, web_data3

_REPLAYED_TRADES: Final = 30
_FAST_DEPTH: Final = 5
_DEPTH: Final = 20
_SLOW_BOOK_MS: Final = 5000
_AT_EVERY_UPDATE: Final = frozenset(
    {"bbo", "allMids", "clearinghouseState", "spotState", "openOrders", "activeAssetData"}
)
_TIMES: Final = frozenset({"time", "serverTime"})
_NOT_BY_USER: Final = frozenset(
    {
        Status.MARGIN_CANCELED,
        Status.SELF_TRADE_CANCELED,
        Status.REDUCE_ONLY_CANCELED,
        Status.SIBLING_FILLED_CANCELED,
        Status.LIQUIDATED_CANCELED,
    }
)


class Feeds:
    """Publishes market data and account events to the broadcaster; a listener of the ledger."""

    def __init__(self, exchange: Exchange, public: PublicData, agents: Agents, broadcaster: Broadcaster) -> None:
        self._exchange = exchange
        self._public = public
        self._agents = agents
        self._broadcaster = broadcaster
        self._until = exchange.now
        self._last_published: dict[Topic, object] = {}
        self._published_at: dict[Topic, int] = {}
        self._pending: dict[Topic, list[Any]] = defaultdict(list)
        exchange.ledger.listeners.append(self)

    def snapshot(self, topic: Topic) -> object | None:
        """Return the first message to a new subscriber."""
        if topic.kind == "trades":
            trades = self._public.recent_trades(topic.coin, _REPLAYED_TRADES)
            return [trade_json(topic.coin, trade) for trade in trades] or None
        if topic.kind in {"userFills", "userFundings", "userNonFundingLedgerUpdates"}:
            return self._user_snapshot(topic)
        state = self._account_state(topic) if topic.kind in ACCOUNT_STATES else self._state(topic)
        if topic not in self._broadcaster.topics:  # otherwise the first subscriber still waits for this state
            self._last_published[topic] = _without_times(state)
        return state

    def publish_updates(self) -> None:
        """Publish the updates since the last call."""
        start, now = self._until, self._exchange.now
        self._until = now
        self.flush()
        if now == start:
            return
        for topic in self._broadcaster.topics:
            if topic.kind == "trades":
                trades = self._exchange.market.trades(topic.coin, start, now)
                if trades:
                    self._broadcaster.publish(topic, [trade_json(topic.coin, trade) for trade in trades])
            elif topic.kind == "candle":
                self._candles(topic, start)
            elif topic.kind in ACCOUNT_STATES:
                if self._is_due(topic, now):
                    self._publish_if_changed(topic, self._account_state(topic))
            elif not topic.user and self._is_due(topic, now):
                self._publish_if_changed(topic, self._state(topic))

    def flush(self) -> None:
        """Publish the pending account events."""
        pending, self._pending = self._pending, defaultdict(list)
        for topic, items in pending.items():
            if topic.kind == "userFills":
                self._broadcaster.publish(topic, {"user": topic.user, "fills": items})
            elif topic.kind == "userFundings":
                self._broadcaster.publish(topic, {"user": topic.user, "fundings": items})
            elif topic.kind == "userNonFundingLedgerUpdates":
                self._broadcaster.publish(topic, {"user": topic.user, "nonFundingLedgerUpdates": items})
            elif topic.kind == "orderUpdates":
                self._broadcaster.publish(topic, items)
            else:
                self._events(topic, items)

    def order_changed(self, update: OrderUpdate) -> None:
        """Queue the event for its feeds."""
        user = update.order.owner
        self._pending[Topic("orderUpdates", user=user)].append(account_json.order_update(update))
        if update.status in _NOT_BY_USER:
            cancelled = {"coin": update.order.coin, "oid": update.order.oid}
            self._pending[Topic("userEvents", user=user)].append(("nonUserCancel", cancelled))

    def filled(self, address: str, fill: Fill) -> None:
        """Queue the event for its feeds."""
        data = account_json.fill(fill, address)
        for aggregate in (False, True):
            self._pending[Topic("userFills", user=address, aggregate=aggregate)].append(data)
        self._pending[Topic("userEvents", user=address)].append(("fills", data))

    def funded(self, address: str, payment: FundingPayment) -> None:
        """Queue the event for its feeds."""
        data = _funding(payment)
        self._pending[Topic("userFundings", user=address)].append(data)
        self._pending[Topic("userEvents", user=address)].append(("funding", data))

    def deposited(self, address: str, transfer: Transfer) -> None:
        """Queue the event for its feed."""
        self._pending[Topic("userNonFundingLedgerUpdates", user=address)].append(account_json.ledger_update(transfer))

    def liquidated(self, address: str, start: LiquidationStart) -> None:
        """Queue the event for its feeds."""
        data = {
            "lid": start.time,
            "liquidator": "0x" + "0" * 40,
            "liquidated_user": address,
            "liquidated_ntl_pos": account_json.rounded(start.notional),
            "liquidated_account_value": account_json.rounded(start.account_value),
        }
        self._pending[Topic("userEvents", user=address)].append(("liquidation", data))
        self._pending[Topic("userNonFundingLedgerUpdates", user=address)].append(account_json.ledger_update(start))

    def _events(self, topic: Topic, items: list[tuple[str, Any]]) -> None:
        """Publish user events: fills and cancels as lists, others one by one."""
        for kind in ("fills", "nonUserCancel"):
            if found := [item for name, item in items if name == kind]:
                self._broadcaster.publish(topic, {kind: found})
        for name, item in items:
            if name in {"funding", "liquidation"}:
                self._broadcaster.publish(topic, {name: item})

    def _state(self, topic: Topic) -> object | None:
        """Return the current state, for feeds that publish states."""
        if topic.kind == "l2Book":
            depth = _FAST_DEPTH if topic.fast else _DEPTH
            book = self._public.book(topic.coin, topic.figures, topic.mantissa, depth)
            return book | {"fast": True} if topic.fast else book
        if topic.kind == "bbo":
            book = self._public.book(topic.coin, depth=1)
            best = [side[0] if side else None for side in book["levels"]]
            return {"coin": topic.coin, "time": self._exchange.now, "bbo": best}
        if topic.kind == "allMids":
            return {"mids": self._public.all_mids()}
        if topic.kind == "activeAssetCtx":
            return {"coin": topic.coin, "ctx": self._public.context(topic.coin)}
        return self._public.forming_candle(topic.coin, topic.interval) if topic.kind == "candle" else None

    def _account_state(self, topic: Topic) -> object:
        """Return the current state of an account."""
        exchange = self._exchange
        account = exchange.account(topic.user) or Account(topic.user)
        if topic.kind == "clearinghouseState":
            state = account_json.clearinghouse_state(account, exchange.margins, exchange.now)
            return {"dex": "", "user": topic.user, "clearinghouseState": state}
        if topic.kind == "spotState":
            return {"user": topic.user, "spotState": account_json.spot_state()}
        if topic.kind == "openOrders":
            orders = [account_json.frontend_order(order) for order in account.open_orders.values()]
            return {"dex": "", "user": topic.user, "orders": orders}
        if topic.kind == "activeAssetData":
            return account_json.active_asset_data(account, topic.coin, exchange.margins, exchange.mark(topic.coin))
        if topic.kind == "webData2":
            return web_data2(account, exchange, self._agents, self._public)
        return web_data3(account, exchange, self._agents)

    def _user_snapshot(self, topic: Topic) -> object:
        account = self._exchange.account(topic.user)
        if topic.kind == "userFundings":
            fundings = [_funding(payment) for payment in account.funding[-500:]] if account else []
            return {"user": topic.user, "isSnapshot": True, "fundings": fundings}
        if topic.kind == "userNonFundingLedgerUpdates":
            updates = [account_json.ledger_update(one) for one in account.ledger_updates[-500:]] if account else []
            return {"user": topic.user, "isSnapshot": True, "nonFundingLedgerUpdates": updates}
        fills = [account_json.fill(fill, topic.user) for fill in reversed(account.fills[-2000:])] if account else []
        return {"user": topic.user, "isSnapshot": True, "fills": fills}

    def _is_due(self, topic: Topic, now: int) -> bool:
        """Whether to publish now: best prices and accounts always, books and contexts less often."""
        wait = 0 if topic.kind in _AT_EVERY_UPDATE or topic.fast else _SLOW_BOOK_MS
        if topic.kind == "l2Book":
            wait = self._exchange.rules.update_ms
        if now - self._published_at.get(topic, -wait) < wait:
            return False
        self._published_at[topic] = now
        return True

    def _publish_if_changed(self, topic: Topic, state: object) -> None:
        """Publish the state if it has changed apart from its times."""
        content = _without_times(state)
        if topic.kind == "l2Book" or self._last_published.get(topic) != content:
            self._last_published[topic] = content
            self._broadcaster.publish(topic, state)

    def _candles(self, topic: Topic, start: int) -> None:
        """Publish the candles that ended, and the forming one."""
        length, now = INTERVALS[topic.interval], self._exchange.now
        for candle in self._exchange.market.candles(topic.coin, length, start - start % length, now, now):
            data = candle_json(topic.coin, topic.interval, candle)
            if self._last_published.get(topic) != data:
                self._last_published[topic] = data
                self._broadcaster.publish(topic, data)


def _without_times(state: object) -> object:
    """Leave out the times at which a state and its parts were made."""
    if not isinstance(state, dict):
        return state
    return {key: _without_times(value) for key, value in state.items() if key not in _TIMES}


def _funding(payment: FundingPayment) -> dict[str, Any]:
    return {
        "time": payment.time,
        "coin": payment.coin,
        "usdc": wire(payment.usdc),
        "szi": wire(payment.size),
        "fundingRate": wire(payment.rate),
        "nSamples": None,
    }
