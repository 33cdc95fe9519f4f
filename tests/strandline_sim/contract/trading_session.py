"""Accounts that trade until the simulated Hyperliquid has shown whatever it can answer; each answer is checked."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, NamedTuple

import aiohttp
import eth_account
from eth_account.signers.local import LocalAccount
from hyperliquid.utils.signing import sign_agent, sign_approve_builder_fee, sign_l1_action  # type: ignore[import-untyped]

from strandline_sim.clock import SteppedClock
from strandline_sim.hyperliquid.limits import Limits
from strandline_sim.hyperliquid.numbers import ZERO, to_tick
from strandline_sim.hyperliquid.public_data import INTERVALS
from strandline_sim.hyperliquid.rules import Rules
from strandline_sim.hyperliquid.venue import HyperliquidVenue
from strandline_sim.hyperliquid.wire_actions import MAX_CANCELS, MAX_ORDERS
from strandline_sim.market.regime import Leg, Regime
from strandline_sim.tape import Tape
from tests.strandline_sim.contract.contract import Contract
from tests.strandline_sim.hyperliquid.sample_venue import ALICE, BOB, START, STRANGER, make_market, make_venue

MINUTE = 60_000
CAROL, DAVE, EVE, AGENT, OTHER_AGENT, LATE_AGENT, *MORE_AGENTS = (
    eth_account.Account.from_key(f"0x{number:064x}") for number in range(1, 11)
)
MONEY = {ALICE: 20_000, BOB: 10_000, CAROL: 1_000, DAVE: 5_000, EVE: 1_000_000}
ASSETS = {"BTC": 0, "ETH": 1, "SOL": 2}
DECIMALS = {"BTC": 5, "ETH": 4, "SOL": 2}
CLOID = "0x" + "c0" * 16


class Trigger(NamedTuple):
    """The trigger of an order: where it fires, as a factor of the mark."""

    factor: str
    tpsl: str
    is_market: bool = True


class TradingSession:
    """A client of a served venue, who checks each answer and each frame."""

    def __init__(
        self, contract: Contract, venue: HyperliquidVenue, clock: SteppedClock, http: aiohttp.ClientSession, url: str
    ) -> None:
        self.contract = contract
        self.venue = venue
        self.clock = clock
        self.url = url
        self._http = http
        self._nonce = clock.now()

    async def act(self, action: dict[str, Any], by: LocalAccount = ALICE, **more: Any) -> Any:
        """Sign an action and send it."""
        self._nonce += 1
        return await self.send({"action": action, "nonce": self._nonce, **more}, by)

    async def send(self, body: dict[str, Any], by: LocalAccount = ALICE) -> Any:
        """Send a body, signed unless it is."""
        if "signature" not in body:
            body["signature"] = self.signature(body, by)
        async with self._http.post(f"{self.url}/exchange", json=body) as answer:
            assert answer.status == 200, await answer.text()
            return self.contract.check(f"action {body['action']['type']}", await answer.json())

    async def approve(self, agent: str, name: str = "", by: LocalAccount = ALICE) -> Any:
        """Approve an agent."""
        return await self.act({"type": "approveAgent", "agentAddress": agent, "agentName": name}, by)

    async def ask(self, kind: str, by: LocalAccount = ALICE, **query: Any) -> Any:
        """Query /info about an account, or about the market."""
        body = {"type": kind, "user": by.address.lower(), **query}
        async with self._http.post(f"{self.url}/info", json=body) as answer:
            assert answer.status == 200, await answer.text()
            return self.contract.check(f"info {kind}", await answer.json())

    async def refused_query(self, query: object) -> None:
        """Query /info for what it does not know."""
        async with self._http.post(f"{self.url}/info", json=query) as answer:
            assert answer.status == 422
            self.contract.check("info refused", await answer.text())

    async def wait(self, milliseconds: int) -> None:
        """Let time pass; what happens now is sent at the next update."""
        await self.clock.step(milliseconds)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Listener"]:
        """Open a socket."""
        async with self._http.ws_connect(f"{self.url}/ws", max_msg_size=0) as socket:
            yield Listener(self.contract, socket)

    def order(
        self, coin: str, is_buy: bool, size: str, factor: str = "", tif: str = "Ioc", **more: Any
    ) -> dict[str, Any]:
        """Make an order at a factor of the mark, by default one that trades at once."""
        trigger: Trigger | None = more.pop("trigger", None)
        px = self.price(coin, factor or ("1.02" if is_buy else "0.98"))
        kind: dict[str, Any] = {"limit": {"tif": tif}}
        if trigger is not None:
            at = self.price(coin, trigger.factor)
            kind = {"trigger": {"isMarket": trigger.is_market, "triggerPx": at, "tpsl": trigger.tpsl}}
        return {"a": ASSETS[coin], "b": is_buy, "p": px, "s": size, "r": False, "t": kind, **more}

    def price(self, coin: str, factor: str) -> str:
        """Return a valid price near the mark."""
        return f"{to_tick(self.venue.exchange.mark(coin) * Decimal(factor), DECIMALS[coin]).normalize():f}"

    def signature(self, body: dict[str, Any], by: LocalAccount) -> Any:
        """Sign a body as the SDK does."""
        action, nonce = body["action"], body["nonce"]
        if action["type"] in {"approveAgent", "approveBuilderFee"}:
            action["nonce"] = nonce
            sign = sign_agent if action["type"] == "approveAgent" else sign_approve_builder_fee
            return sign(by, action, False)
        return sign_l1_action(by, action, body.get("vaultAddress"), nonce, body.get("expiresAfter"), False)


class Listener:
    """A socket that checks each frame."""

    def __init__(self, contract: Contract, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._contract = contract
        self._socket = socket

    async def say(self, message: object) -> None:
        """Send a message."""
        await self._socket.send_str(message if isinstance(message, str) else json.dumps(message))

    async def subscribe(self, *subscriptions: Mapping[str, Any], method: str = "subscribe") -> None:
        """Subscribe to feeds, or unsubscribe."""
        for subscription in subscriptions:
            await self.say({"method": method, "subscription": subscription})

    async def hear(self) -> list[Any]:
        """Check the frames that have come until now."""
        await self.say({"method": "ping"})
        heard: list[Any] = []
        while True:
            frame = await asyncio.wait_for(self._socket.receive_json(), 10)
            self._contract.check(f"frame {frame['channel']}", frame)
            if frame["channel"] == "pong":
                return heard
            heard.append(frame)


@asynccontextmanager
async def trading_session(contract: Contract) -> AsyncIterator[TradingSession]:
    """Serve a venue three minutes before an hour ends; five minutes later SOL falls by a third, and rises again."""
    clock = SteppedClock(START + 57 * MINUTE)
    calm = Leg(regime=Regime.RANGE, start_ms=START - 60 * MINUTE, end_ms=START + 62 * MINUTE)
    down, up = (
        Leg(regime=regime, start_ms=START + first * MINUTE, end_ms=START + (first + 3) * MINUTE, drift=drift)
        for regime, first, drift in ((Regime.TREND_DOWN, 62, -0.35), (Regime.TREND_UP, 65, 0.6))
    )
    market = make_market(scenario={"BTC": [calm], "ETH": [calm], "SOL": [calm, down, up]})
    venue = HyperliquidVenue(
        market,
        clock,
        Tape(),
        deposits={wallet.address: Decimal(money) for wallet, money in MONEY.items()},
        rules=Rules(update_ms=1000, schedule_cancel_volume=Decimal(1)),
        limits=Limits(weight_per_minute=None, sockets=None, idle_ms=None, users=3),
        nonce_window=False,
    )
    url = await venue.start()
    try:
        async with aiohttp.ClientSession() as http:
            yield TradingSession(contract, venue, clock, http, url)
    finally:
        await venue.stop()


def orders(*placed: dict[str, Any], grouping: str = "na", **more: Any) -> dict[str, Any]:
    """Make the action that places orders."""
    return {"type": "order", "orders": list(placed), "grouping": grouping, **more}


async def trade(session: TradingSession) -> None:
    """Do everything that an account can do."""
    user, bob, carol = (wallet.address.lower() for wallet in (ALICE, BOB, CAROL))
    async with session.listening() as market, session.listening() as account, session.listening() as others:
        await market.subscribe(
            {"type": "allMids"},
            *({"type": kind, "coin": "SOL"} for kind in ("trades", "bbo", "activeAssetCtx", "l2Book")),
            *({"type": "candle", "coin": "SOL", "interval": interval} for interval in ("1m", "15m")),
            {"type": "l2Book", "coin": "BTC", "nSigFigs": 5, "mantissa": 2},
        )
        kinds = (
            "userFills", "orderUpdates", "userEvents", "userFundings", "userNonFundingLedgerUpdates", "notification",
            "clearinghouseState", "spotState", "openOrders", "webData2", "webData3",
        )  # fmt: skip
        await account.subscribe(*({"type": kind, "user": user} for kind in kinds))
        await account.subscribe({"type": "activeAssetData", "user": user, "coin": "SOL"})
        await others.subscribe(
            *(
                {"type": kind, "user": one}
                for one in (bob, carol)
                for kind in ("userEvents", "clearinghouseState", "userNonFundingLedgerUpdates")
            )
        )
        await protocol(session, market)
        await refusals(session)
        await lifecycle(session)
        for _ in range(3):
            await session.wait(2000)
            await market.hear()
            await account.hear()
        books: list[dict[str, Any]] = [
            {"type": "l2Book", "coin": "SOL"},
            {"type": "l2Book", "coin": "BTC", "nSigFigs": 5, "mantissa": 2},
        ]
        await market.subscribe(*books, method="unsubscribe")
        await agents_and_settings(session)
        await brackets(session)
        await session.wait(4 * MINUTE)  # past the hour: funding
        await market.hear()
        await account.subscribe({"type": "userFills", "user": user, "aggregateByTime": True})
        await account.hear()
        await before_the_fall(session)
        for half_minutes in range(13):
            await session.wait(MINUTE // 2)
            for one in (market, account, others):
                await one.hear()
            if half_minutes == 7:
                await before_the_rise(session)
        session.venue.deposit(user, Decimal("12.5"))
        await session.wait(1000)
        await account.hear()


async def protocol(session: TradingSession, market: Listener) -> None:
    """Say what a client may say on a socket, and what it may not."""
    await market.subscribe({"type": "trades", "coin": "SOL"}, {"type": "trades", "coin": "NONE"})
    await market.subscribe({"type": "trades", "coin": "ETH"}, method="unsubscribe")
    books = [
        {"type": "l2Book", "coin": "ETH", "nSigFigs": figures, "mantissa": mantissa}
        for figures, mantissa in ((2, None), (3, None), (4, None), (5, 1), (5, 5))
    ]
    await market.subscribe({"type": "l2Book", "coin": "BTC", "fast": True}, *books)
    candles = [{"type": "candle", "coin": "ETH", "interval": interval} for interval in INTERVALS]
    await market.subscribe(*candles)
    for method in ("unsubscribe", "unsubscribe"):
        await market.subscribe(*books, *candles, method=method)
    await market.subscribe({"type": "userFills", "user": EVE.address})  # the fourth account
    await market.say("{")
    await market.say(
        {"method": "post", "id": 1, "request": {"type": "info", "payload": {"type": "l2Book", "coin": "ETH"}}}
    )
    state = {"type": "clearinghouseState", "user": ALICE.address}
    await market.say({"method": "post", "id": 2, "request": {"type": "info", "payload": state}})
    await market.say({"method": "post", "id": 3, "request": {"type": "info", "payload": {"type": "none"}}})
    await market.say({"method": "post", "id": 4, "request": {"type": "explorer", "payload": {}}})
    body = {"action": orders(session.order("ETH", True, "0.1")), "nonce": session.clock.now() - 1}
    body["signature"] = session.signature(body, ALICE)
    await market.say({"method": "post", "id": 5, "request": {"type": "action", "payload": body}})
    await market.hear()


async def refusals(session: TradingSession) -> None:
    """Be refused in each of the venue's words."""
    order, act = session.order, session.act
    stop = Trigger("1.1", "sl")
    await act(
        orders(
            order("SOL", True, "1", tif="Ioc", p="150.001"),
            order("SOL", True, "0.01"),
            order("BTC", True, "1000"),
            order("BTC", True, "9"),
            order("SOL", True, "1", r=True),
            order("SOL", True, "1", "1.01", "Alo"),
            order("SOL", True, "1", "0.9"),
            order("SOL", True, "1", trigger=Trigger("0.9", "sl")),
            order("SOL", True, "1", p="0"),
            order("SOL", True, "1.001"),
            order("SOL", True, "0"),
            order("SOL", True, "1", "1.9"),
            order("SOL", True, "400000"),
            order("SOL", True, "0.5", tif="FrontendMarket"),
        )
    )
    await act(orders(order("SOL", False, "1", trigger=stop), grouping="positionTpsl"))
    await act(orders(order("SOL", True, "1"), builder={"b": CAROL.address.lower(), "f": 1}))
    await act(orders(order("SOL", True, "1")), STRANGER)
    await act({"type": "cancel", "cancels": [{"a": 2, "o": 1}]}, STRANGER)
    await act(orders(order("SOL", True, "1")), expiresAfter=session.clock.now() - 1)
    await act(orders(order("SOL", True, "1")), vaultAddress="0x" + "aa" * 20)
    await act(orders({**order("SOL", True, "1"), "a": 7}))
    await session.send({"action": {"type": "noop"}, "nonce": 0})
    await session.send({"action": {"type": "noop"}, "nonce": 1, "signature": {"r": "0x0", "s": "0x0", "v": 27}})
    body = {"action": orders(order("ETH", True, "0.1")), "nonce": session.clock.now() - 1}
    await session.send(body)
    await session.approve(AGENT.address, by=STRANGER)
    for query in ({"type": "none"}, {"type": "l2Book", "coin": "NONE"}, ["meta"]):
        await session.refused_query(query)


async def lifecycle(session: TradingSession) -> None:
    """Open, rest, modify and cancel."""
    order, act = session.order, session.act
    mine = {"c": CLOID}
    (filled, resting) = (await act(orders(order("SOL", True, "20"), order("SOL", True, "1", "0.95", "Gtc", **mine))))[
        "response"
    ]["data"]["statuses"]
    assert filled.keys() == {"filled"}
    assert resting.keys() == {"resting"}
    await act(orders(order("BTC", True, "0.01", **mine), order("ETH", False, "0.2"), order("ETH", True, "0.5")))
    await act(orders(order("ETH", False, "0.9"), order("ETH", True, "0.6")))
    at = order("SOL", True, "2", "0.96", "Gtc", c="0x" + "c1" * 16)
    oid = resting["resting"]["oid"]
    await act({"type": "modify", "oid": oid, "order": at})
    await act({"type": "modify", "oid": oid, "order": at})
    await act({"type": "modify", "oid": "0x" + "c1" * 16, "order": order("SOL", True, "2")})
    await act({"type": "modify", "oid": "0x" + "c1" * 16, "order": {**at, "a": 9}})
    alo = order("SOL", True, "2", "1.01", "Gtc")
    modifies = [{"oid": "0x" + "c1" * 16, "order": one} for one in (alo, order("SOL", True, "3", "0.94", "Gtc"), at)]
    changed = await act({"type": "batchModify", "modifies": modifies})
    await act({"type": "batchModify", "modifies": [{"oid": 1, "order": {**at, "a": 9}}]})
    oid = changed["response"]["data"]["statuses"][1]["resting"]["oid"]
    await act({"type": "batchModify", "modifies": [{"oid": oid, "order": order("SOL", True, "1")}], "a": True})
    (kept,) = (await act(orders(order("SOL", True, "1", "0.97", "Alo", **mine))))["response"]["data"]["statuses"]
    await act({"type": "cancel", "cancels": [{"a": 2, "o": kept["resting"]["oid"]}, {"a": 2, "o": 1}]})
    await act(orders(order("SOL", True, "1", "0.97", "Gtc", **mine)))
    cloids = [{"asset": 2, "cloid": CLOID}, {"asset": 2, "cloid": "0x" + "ff" * 16}]
    await act({"type": "cancelByCloid", "cancels": cloids})
    bid, ask = session.venue.exchange.matcher.bbo("BTC")
    inside = f"{to_tick(((bid or ZERO) + (ask or ZERO)) / 2, 5).normalize():f}"
    await act(orders(order("BTC", False, "0.001", tif="Gtc", p=inside), order("BTC", True, "0.001", p=inside)))
    await act(orders(*(order("SOL", False, size, "1.04", "Gtc", r=True) for size in ("15", "16"))))
    # A bid of one's own at the top of the book, which the market's trades fill.
    await act(orders(order("SOL", True, "5", "0.9995", "Gtc")))


async def agents_and_settings(session: TradingSession) -> None:
    """Approve agents, let them trade, change leverage and margin, schedule a cancel."""
    act = session.act
    now = session.clock.now()
    assert (await session.approve(AGENT.address))["status"] == "ok"
    assert (await session.approve(OTHER_AGENT.address, "bot"))["status"] == "ok"
    assert (await session.approve(LATE_AGENT.address, f"late valid_until {now + 86_400_000}"))["status"] == "ok"
    await session.approve(LATE_AGENT.address, "again")
    await session.approve(MORE_AGENTS[0].address, f"gone valid_until {now - 1}")
    await session.approve(MORE_AGENTS[0].address, "third")
    await session.approve(MORE_AGENTS[1].address, "fourth")
    await act({"type": "approveBuilderFee", "builder": CAROL.address.lower(), "maxFeeRate": "0.01%"})
    await act(orders(session.order("ETH", True, "0.1")), AGENT)
    await act(orders(session.order("ETH", True, "0.1")), OTHER_AGENT)
    noop = {"action": {"type": "noop"}, "nonce": now + 10**6}
    for _ in range(2):
        await session.send(dict(noop))
    for leverage, cross in ((5, True), (50, True), (5, False)):
        await act({"type": "updateLeverage", "asset": 2, "isCross": cross, "leverage": leverage})
    await act({"type": "updateLeverage", "asset": 1, "isCross": False, "leverage": 3})
    await act({"type": "updateLeverage", "asset": 9, "isCross": False, "leverage": 3})
    await act({"type": "updateLeverage", "asset": 0, "isCross": False, "leverage": 20}, CAROL)
    await act(orders(session.order("BTC", True, "0.2")), CAROL)
    await act({"type": "updateLeverage", "asset": 0, "isCross": False, "leverage": 1}, CAROL)
    for asset, cents in ((0, 1), (0, 10**9), (1, 1), (9, 1)):
        action = {"type": "updateIsolatedMargin", "asset": asset, "isBuy": True, "ntli": cents * 10_000}
        await act(action, CAROL)
    await act({"type": "scheduleCancel", "time": now + 1})
    await act({"type": "scheduleCancel", "time": now + 6000}, BOB)
    await act(orders(session.order("ETH", True, "0.01", "0.9", "Gtc")), CAROL)
    await act({"type": "scheduleCancel", "time": session.clock.now() + 6000}, CAROL)
    await act({"type": "scheduleCancel"})
    await session.wait(7000)


async def brackets(session: TradingSession) -> None:
    """Place an entry with its exits, one filled at once and one that rests."""
    order = session.order
    for factor, size in (("", "0.02"), ("0.9", "0.05")):
        exits = [
            order("ETH", False, size, "0.5", r=True, trigger=Trigger(at, tpsl, is_market))
            for at, tpsl, is_market in (("1.2", "tp", True), ("0.8", "sl", False))
        ]
        entry = order("ETH", True, size, factor, "Gtc" if factor else "Ioc")
        await session.act(orders(entry, *exits, grouping="normalTpsl"))
    below = Trigger("0.9", "sl", is_market=False)
    await session.act(orders(order("BTC", False, "0", "0.5", r=True, trigger=below), grouping="positionTpsl"))


async def before_the_fall(session: TradingSession) -> None:
    """Hold what a falling market stops out and liquidates."""
    order = session.order
    exits = [
        order("SOL", False, "3", "0.5", r=True, trigger=Trigger(at, tpsl))
        for at, tpsl in (("1.3", "tp"), ("0.97", "sl"))
    ]
    await session.act(orders(order("SOL", True, "3"), *exits, grouping="normalTpsl"))
    await session.act(orders(order("SOL", False, "20000", "0.5", trigger=Trigger("0.95", "sl"))))
    limit = Trigger("0.96", "tp", is_market=False)
    await session.act(orders(order("SOL", True, "1", "0.93", trigger=limit)))
    await session.act({"type": "updateLeverage", "asset": 2, "isCross": True, "leverage": 20}, BOB)
    await session.act(orders(order("SOL", True, "900"), order("ETH", True, "0.01", "0.9", "Gtc")), BOB)
    await session.act({"type": "updateLeverage", "asset": 2, "isCross": False, "leverage": 10}, CAROL)
    await session.act(orders(order("SOL", True, "10")), CAROL)


async def before_the_rise(session: TradingSession) -> None:
    """Hold what a rising market liquidates."""
    for wallet, is_cross in ((DAVE, True), (CAROL, False)):
        await session.act({"type": "updateLeverage", "asset": 2, "isCross": is_cross, "leverage": 10}, wallet)
        await session.act(orders(session.order("SOL", False, "300" if is_cross else "10")), wallet)


async def ask_everything(session: TradingSession) -> None:
    """Ask each type of /info about each account."""
    everything = {"coin": "SOL", "startTime": START, "builder": CAROL.address.lower(), "oid": CLOID}
    names = [name.removeprefix("info ") for name in session.contract.schemas if name.startswith("info ")]
    for name in names:
        for wallet in (ALICE, BOB, CAROL, DAVE):
            if name != "refused":
                candles = {"coin": "ETH", "interval": "15m", "startTime": START - 60 * MINUTE}
                await session.ask(name, wallet, **everything, req=candles)
    await session.ask("orderStatus", oid=1)
    await session.ask("userRole", AGENT)
    await session.ask("userRole", STRANGER)
    await session.ask("activeAssetData", CAROL, coin="BTC")
    await session.ask("userFills", aggregateByTime=True)
    await session.ask("l2Book", coin="BTC", nSigFigs=2)
    for interval in INTERVALS:
        await session.ask("candleSnapshot", req={"coin": "BTC", "interval": interval, "startTime": START - 60 * MINUTE})


async def too_many(session: TradingSession) -> None:
    """Have as many open orders, and send as many requests, as an account may, and one more."""
    far = session.order("ETH", True, "0.01", "0.5", "Gtc")
    for _ in range(11):
        await session.act(orders(*([far] * MAX_ORDERS)), EVE)
    await session.ask("historicalOrders", EVE)
    for _ in range(9):
        await session.act({"type": "cancel", "cancels": [{"a": 1, "o": 1}] * MAX_CANCELS}, EVE)
    for _ in range(2):
        await session.act(orders(far), EVE)


async def too_often(contract: Contract) -> None:
    """Ask, subscribe and say more than one address may in a minute."""
    limits = Limits(weight_per_minute=1, subscriptions=1, messages_per_minute=4)
    venue, _ = make_venue(clock=SteppedClock(START), limits=limits)
    url = await venue.start()
    query = {"type": "allMids"}
    try:
        async with aiohttp.ClientSession() as http, http.ws_connect(f"{url}/ws") as socket:
            answers = [await http.post(f"{url}/info", json=query) for _ in range(2)]
            assert [(answer.status, await answer.text() == "null") for answer in answers] == [(200, False), (429, True)]
            listener = Listener(contract, socket)
            await listener.say({"method": "post", "id": 1, "request": {"type": "info", "payload": query}})
            await listener.subscribe(query, {"type": "trades", "coin": "BTC"})
            await listener.hear()
            await listener.say({"method": "ping"})
            contract.check("frame error", await socket.receive_json())
    finally:
        await venue.stop()
