"""Handles the queries of /info, by type."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, Final

from strandline_sim.hyperliquid import account_json
from strandline_sim.hyperliquid.account import Account, Fill, OrderUpdate, address_in
from strandline_sim.hyperliquid.actions import MalformedError
from strandline_sim.hyperliquid.exchange import Exchange
from strandline_sim.hyperliquid.numbers import wire
from strandline_sim.hyperliquid.portfolio import portfolio, user_fees
from strandline_sim.hyperliquid.public_data import INTERVALS, PublicData, is_precision, trade_json
from strandline_sim.hyperliquid.request_auth import RequestAuth
from strandline_sim.hyperliquid.web_data import web_data2

Query = dict[str, Any]
Computation = Callable[[], object]
"""Computes an answer that takes long. It reads nothing that changes, so that a thread can do it beside the exchange."""
_FOREVER: Final = 2**62
_MAX_FILLS: Final = 2000
_MAX_ROWS: Final = 500
_RECENT_TRADES: Final = 30
_USDC: Final = {
    "name": "USDC",
    "szDecimals": 8,
    "weiDecimals": 8,
    "index": 0,
    "tokenId": "0x6d1e7cde53ba9467b783cb7c530ce054",
    "isCanonical": True,
    "evmContract": None,
    "fullName": None,
    "deployerTradingFeeShare": "0.0",
}


class Info:
    """Queries; `starting_usdc` is deposited for an unknown address when a client first asks about it."""

    def __init__(
        self,
        exchange: Exchange,
        auth: RequestAuth,
        public: PublicData,
        deposit: Callable[[str, Decimal], None],
        starting_usdc: Decimal | None = None,
    ) -> None:
        self._exchange = exchange
        self._auth = auth
        self._public = public
        self._deposit = deposit
        self._starting_usdc = starting_usdc
        self._known_at: int | None = None
        self._answers: dict[str, Callable[[Query], object]] = {
            "meta": lambda _: public.meta(),
            "spotMeta": lambda _: {"universe": [], "tokens": [_USDC]},
            "spotMetaAndAssetCtxs": lambda _: [{"universe": [], "tokens": [_USDC]}, []],
            "metaAndAssetCtxs": lambda _: [public.meta(), [public.context(coin) for coin in exchange.by_name]],
            "perpDexs": lambda _: [None],
            "allMids": lambda _: public.all_mids(),
            "exchangeStatus": lambda _: {"time": exchange.now, "specialStatuses": None},
            "l2Book": self._book,
            "recentTrades": self._recent_trades,
            "candleSnapshot": self._candles,
            "fundingHistory": self._funding_history,
            "predictedFundings": lambda _: public.predicted_fundings(),
            "clearinghouseState": lambda q: account_json.clearinghouse_state(
                self._account(q), exchange.margins, exchange.now
            ),
            "activeAssetData": self._active_asset,
            "spotClearinghouseState": lambda q: self._constant(q, account_json.spot_state()),
            "openOrders": lambda q: [
                account_json.basic_order(order) for order in self._account(q).open_orders.values()
            ],
            "frontendOpenOrders": lambda q: [
                account_json.frontend_order(o) for o in self._account(q).open_orders.values()
            ],
            "orderStatus": self._order_status,
            "historicalOrders": self._historical_orders,
            "userFills": self._fills,
            "userFillsByTime": self._fills_by_time,
            "userFunding": self._user_funding,
            "userNonFundingLedgerUpdates": self._ledger_updates,
            "userRateLimit": self._rate_limit,
            "userFees": self._fees,
            "portfolio": lambda q: partial(portfolio, self._account(q).booked(), public.mark, exchange.now),
            "maxBuilderFee": self._builder_fee,
            "perpsAtOpenInterestCap": lambda _: [],
            "webData2": lambda q: web_data2(self._account(q), exchange, auth.agents, public),
            "userRole": self._role,
            "userAbstraction": lambda q: self._constant(q, "disabled"),
            "extraAgents": self._extra_agents,
            "subAccounts": lambda q: self._constant(q, None),
        }

    def answer(self, query: object, lag_ms: int = 0) -> object | Computation:
        """Return the response to a query, or its computation; raise MalformedError.

        With a lag newer orders and fills are not known.
        """
        if not isinstance(query, dict) or not isinstance(query.get("type"), str):
            raise MalformedError("a query is an object with a type")
        handler = self._answers.get(query["type"])
        if handler is None:
            raise MalformedError(f"there is no query {query['type']!r}")
        self._known_at = self._exchange.now - lag_ms if lag_ms else None
        return handler(query)

    def user(self, query: Query) -> str:
        """Read the query's address."""
        user = address_in(query.get("user"))
        if user is None:
            raise MalformedError("a user is an address")
        return user

    def coin(self, query: Query) -> str:
        """Read the query's coin."""
        coin = query.get("coin")
        if not isinstance(coin, str) or coin not in self._exchange.by_name:
            raise MalformedError("no such coin")
        return coin

    def account_of(self, user: str) -> Account:
        """Return the account; a new empty one, which is not stored, if the address is unknown."""
        known = self._exchange.account(user)
        if known is None and self._starting_usdc is not None and not self._auth.agents.is_agent(user):
            self._deposit(user, self._starting_usdc)
            known = self._exchange.account(user)
        return known or Account(user)

    def _account(self, query: Query) -> Account:
        account = self.account_of(self.user(query))
        return account if self._known_at is None else account.known_at(self._known_at)

    def _active_asset(self, query: Query) -> object:
        coin = self.coin(query)
        mark = self._exchange.mark(coin)
        return account_json.active_asset_data(self._account(query), coin, self._exchange.margins, mark)

    def _constant(self, query: Query, answer: object) -> object:
        """Return the same for every user; refuse a query without one."""
        self.user(query)
        return answer

    def _book(self, query: Query) -> object:
        figures, mantissa = query.get("nSigFigs"), query.get("mantissa")
        if not is_precision(figures, mantissa):
            raise MalformedError("nSigFigs is 2 to 5; a mantissa is 1, 2 or 5, and needs 5 significant figures")
        return self._public.book(self.coin(query), figures, mantissa)

    def _recent_trades(self, query: Query) -> object:
        coin = self.coin(query)
        return [trade_json(coin, trade) for trade in reversed(self._public.recent_trades(coin, _RECENT_TRADES))]

    def _candles(self, query: Query) -> object:
        range_query = query.get("req")
        interval = range_query.get("interval") if isinstance(range_query, dict) else None
        if not isinstance(range_query, dict) or not isinstance(interval, str) or interval not in INTERVALS:
            raise MalformedError("a candleSnapshot needs coin and interval in req")
        start, end = _range(range_query)
        return partial(self._public.candles, self.coin(range_query), interval, start, end, self._exchange.now)

    def _funding_history(self, query: Query) -> object:
        return partial(self._public.funding_history, self.coin(query), *_range(query), self._exchange.now)

    def _order_status(self, query: Query) -> object:
        account, oid = self._account(query), query.get("oid")
        if isinstance(oid, str):
            oid = account.oid_of_cloid.get(oid.lower())
        elif not isinstance(oid, int):
            raise MalformedError("an oid is a number or a cloid")
        order = account.orders.get(oid) if oid is not None else None
        if order is None:
            return {"status": "unknownOid"}
        return {
            "status": "order",
            "order": account_json.historical_order(OrderUpdate(order, order.status, order.status_at)),
        }

    def _historical_orders(self, query: Query) -> object:
        return [
            account_json.historical_order(update) for update in reversed(self._account(query).history[-_MAX_FILLS:])
        ]

    def _fills(self, query: Query) -> object:
        account = self._account(query)
        fills = _aggregated(account.fills) if query.get("aggregateByTime") else account.fills
        return [account_json.fill(fill, account.address) for fill in reversed(fills[-_MAX_FILLS:])]

    def _fills_by_time(self, query: Query) -> object:
        account = self._account(query)
        start, end = _history_range(query)
        fills = _aggregated(account.fills) if query.get("aggregateByTime") else account.fills
        found = [fill for fill in fills[-5 * _MAX_FILLS :] if start <= fill.time <= end]
        return [account_json.fill(fill, account.address) for fill in found[:_MAX_FILLS]]

    def _user_funding(self, query: Query) -> object:
        start, end = _history_range(query)
        found = [payment for payment in self._account(query).funding if start <= payment.time <= end]
        return [account_json.funding(payment) for payment in found[:_MAX_ROWS]]

    def _ledger_updates(self, query: Query) -> object:
        start, end = _history_range(query)
        found = [one for one in self._account(query).ledger_updates if start <= one.time <= end]
        return [account_json.ledger_update(one) for one in found[:_MAX_ROWS]]

    def _rate_limit(self, query: Query) -> object:
        account, quota = self._account(query), self._auth.quota
        used, cap = quota.used(account), quota.cap(account)
        return {"cumVlm": wire(account.volume), "nRequestsUsed": used, "nRequestsCap": cap, "nRequestsSurplus": 0}

    def _fees(self, query: Query) -> object:
        now = self._exchange.now
        turnover = partial(self._public.turnover, now=now)
        return partial(user_fees, self._account(query).booked(), self._exchange.rules, turnover, now)

    def _builder_fee(self, query: Query) -> object:
        """Return zero: no fee of a builder can be approved."""
        if address_in(query.get("builder")) is None:
            raise MalformedError("a builder is an address")
        return self._constant(query, 0)

    def _role(self, query: Query) -> object:
        user = self.user(query)
        owner = self._auth.agents.owner_of(user, self._exchange.now)
        if owner is not None:
            return {"role": "agent", "data": {"user": owner}}
        return {"role": "missing" if self._exchange.account(user) is None else "user"}

    def _extra_agents(self, query: Query) -> object:
        agents = self._auth.agents.named(self.user(query), self._exchange.now)
        return [{"name": one.name, "address": one.address, "validUntil": one.valid_until} for one in agents]


def _history_range(query: Query) -> tuple[int, int]:
    """Read a range of an account's history, which is all of it by default."""
    return _range(query, default_start=0)


def _range(query: Query, default_start: int | None = None) -> tuple[int, int]:
    start, end = query.get("startTime"), query.get("endTime")
    start = default_start if start is None else start
    end = _FOREVER if end is None else end
    if not isinstance(start, int) or not isinstance(end, int):
        raise MalformedError("a range has a startTime and perhaps an endTime, in milliseconds")
    return start, end


def _aggregated(fills: Sequence[Fill]) -> list[Fill]:
    """Combine the taker fills of one order at one instant."""
    found: list[Fill] = []
    for fill in fills:
        last = found[-1] if found else None
        if last is None or not fill.crossed or (last.oid, last.time, last.crossed) != (fill.oid, fill.time, True):
            found.append(fill)
            continue
        size = last.size + fill.size
        px = ((last.px * last.size + fill.px * fill.size) / size).quantize(Decimal("0.000001"))
        found[-1] = last._replace(
            px=px, size=size, closed_pnl=last.closed_pnl + fill.closed_pnl, fee=last.fee + fill.fee
        )
    return found
