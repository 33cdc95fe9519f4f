"""ccxt.pro, the asynchronous client with sockets, works with the simulated venue: what it watches is what it fetches.

Time stands still between the steps of a test, so that both ways of asking have the same answer.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from strandline_sim.clock import SteppedClock
from strandline_sim.hyperliquid.venue import HyperliquidVenue
from tests.strandline_sim.hyperliquid.sample_venue import ALICE, MONEY, START, make_venue

SYMBOL = "ETH/USDC:USDC"
MINUTE = 60_000
HOUR = 60 * MINUTE
PATIENCE = 10
TRADE_KEYS = ("order", "symbol", "side", "price", "amount", "cost", "timestamp")


class Session:
    """A client that has loaded the markets of a venue whose clock the test steps."""

    def __init__(self, client: Any, venue: HyperliquidVenue, clock: SteppedClock) -> None:
        self.client = client
        self.venue = venue
        self.clock = clock

    async def price(self) -> float:
        return float((await self.client.fetch_tickers([SYMBOL]))[SYMBOL]["last"])

    async def watch(self, watching: Awaitable[Any]) -> Any:
        """Return what comes at once, with the snapshot of a subscription."""
        async with asyncio.timeout(PATIENCE):
            return await watching

    @asynccontextmanager
    async def watched(self, kind: str, watching: Any) -> AsyncIterator["asyncio.Future[Any]"]:
        """Watch during the block; the future has what came by its end."""
        update = asyncio.ensure_future(watching)
        async with asyncio.timeout(PATIENCE):
            while all(topic.kind != kind for topic in self.venue._broadcaster.topics):
                await asyncio.sleep(0.005)
            yield update
            await update

    async def next(self, watching: Any) -> Any:
        """Let time pass until an update comes."""
        update = asyncio.ensure_future(watching)
        async with asyncio.timeout(PATIENCE):
            while not update.done():
                await self.clock.step(500)
                await asyncio.sleep(0.01)
            return await update

    async def step_until(self, done: Callable[[], Awaitable[bool]]) -> None:
        """Let a minute pass again and again, for a day at most."""
        for _ in range(24 * 60):
            await self.clock.step(MINUTE)
            if await done():
                return
        raise AssertionError("it did not happen within a day")


Test = Callable[[Session], Awaitable[None]]


@pytest.fixture(scope="module")
def run() -> Callable[[Test], None]:
    """Run a test with a session. ccxt is imported here, because its hundred exchanges take seconds."""
    import ccxt.pro  # type: ignore[import-untyped]

    @asynccontextmanager
    async def session() -> AsyncIterator[Session]:
        clock = SteppedClock(START + 10_000)
        venue, _ = make_venue(clock=clock, nonce_window=False)
        url = await venue.start()
        client = ccxt.pro.hyperliquid(
            {
                "walletAddress": ALICE.address,
                "privateKey": ALICE.key.hex().removeprefix("0x"),
                "enableRateLimit": False,
            }
        )
        client.set_sandbox_mode(True)
        client.urls["api"] = {"public": url, "private": url, "ws": {"public": url.replace("http", "ws") + "/ws"}}
        try:
            await client.load_markets()
            yield Session(client, venue, clock)
        finally:
            await client.close()
            await venue.stop()

    def run_test(test: Test) -> None:
        async def inside() -> None:
            async with session() as made:
                await test(made)

        asyncio.run(inside())

    return run_test


def part(record: Any, *keys: str) -> dict[str, Any]:
    return {key: record[key] for key in keys}


def trade_of(one: Any) -> dict[str, Any]:
    return part(one, *TRADE_KEYS) | {"fee": one["fee"]["cost"]}


def test_market_data(run: Callable[[Test], None]) -> None:
    async def test(session: Session) -> None:
        client = session.client

        def latest_trades() -> dict[str, float]:
            return {str(one.id): float(one.price) for one in session.venue._public.recent_trades("ETH", 30)}

        book = await session.watch(client.watch_order_book(SYMBOL))
        for _ in range(2):
            async with asyncio.timeout(PATIENCE):
                while book["timestamp"] != session.clock.now():  # the book that was returned follows the feed
                    await asyncio.sleep(0.005)
            fetched = await client.fetch_order_book(SYMBOL)
            assert fetched["timestamp"] == session.clock.now()
            assert (list(book["bids"]), list(book["asks"])) == (fetched["bids"], fetched["asks"])
            await session.clock.step(500)
        ticker = await session.watch(client.watch_ticker(SYMBOL))
        other = (await client.fetch_tickers([SYMBOL]))[SYMBOL]
        for key in ("last", "bid", "ask", "previousClose", "quoteVolume", "baseVolume"):
            assert ticker[key] == other[key]
        trades = await session.watch(client.watch_trades(SYMBOL))
        assert {one["id"]: one["price"] for one in trades} == latest_trades()
        newer = await session.next(client.watch_trades(SYMBOL))
        assert newer[-1]["timestamp"] > trades[-1]["timestamp"]
        assert latest_trades()[newer[-1]["id"]] == newer[-1]["price"]
        candle = list((await session.watch(client.watch_ohlcv(SYMBOL, "5m")))[-1])  # the client changes it in place
        assert [candle] == await client.fetch_ohlcv(SYMBOL, "5m", since=candle[0])
        newer = (await session.next(client.watch_ohlcv(SYMBOL, "5m")))[-1]
        assert newer[:2] == candle[:2]
        assert newer[5] > candle[5]
        rates = await client.fetch_funding_rates()
        history = await client.fetch_funding_rate_history(SYMBOL, since=session.clock.now() - 5 * HOUR)
        assert len(history) == 5
        assert all(abs(rate["fundingRate"]) < 0.04 for rate in [*history, *rates.values()])
        assert (await client.fetch_open_interest(SYMBOL))["openInterestAmount"] > 0
        assert await client.un_watch_trades(SYMBOL)
        assert await client.un_watch_order_book(SYMBOL)

    run(test)


@pytest.mark.parametrize("transport", ["socket", "rest"])
def test_a_resting_order(run: Callable[[Test], None], transport: str) -> None:
    async def test(session: Session) -> None:
        client = session.client
        create, edit, cancel = (
            (client.create_order_ws, client.edit_order_ws, client.cancel_order_ws)
            if transport == "socket"
            else (client.create_order, client.edit_order, client.cancel_order)
        )
        low = round(await session.price() * 0.9, 1)
        cloid = "0x" + "ab" * 16
        async with session.watched("orderUpdates", client.watch_orders(SYMBOL)) as update:
            made = await create(SYMBOL, "limit", "buy", 0.1, low, {"clientOrderId": cloid})
        opened = update.result()[-1]
        fetched = await client.fetch_order(made["id"], SYMBOL)
        keys = ("id", "clientOrderId", "symbol", "side", "price", "amount", "remaining", "status", "timestamp")
        assert part(opened, *keys) == part(fetched, *keys)
        assert (opened["id"], opened["status"], opened["clientOrderId"]) == (made["id"], "open", cloid)
        edited = await edit(made["id"], SYMBOL, "limit", "buy", 0.2, low - 1)
        assert [part(one, "id", "amount", "price") for one in await client.fetch_open_orders(SYMBOL)] == [
            {"id": edited["id"], "amount": 0.2, "price": low - 1}
        ]
        async with session.watched("orderUpdates", client.watch_orders(SYMBOL)) as update:
            await cancel(edited["id"], SYMBOL)
        assert update.result()[-1]["status"] == "canceled"
        assert await client.fetch_open_orders() == []
        assert {one["id"] for one in await client.fetch_canceled_orders(SYMBOL)} == {made["id"], edited["id"]}

    run(test)


def test_fills_positions_and_balance(run: Callable[[Test], None]) -> None:
    async def test(session: Session) -> None:
        client = session.client
        price = await session.price()
        assert await session.watch(client.watch_positions()) == []
        async with (
            session.watched("userFills", client.watch_my_trades(SYMBOL)) as fills,
            session.watched("orderUpdates", client.watch_orders(SYMBOL)) as orders,
            session.watched("clearinghouseState", client.watch_positions()) as positions,
            session.watched("clearinghouseState", client.watch_balance()) as balance,
        ):
            bought = await client.create_order_ws(SYMBOL, "market", "buy", 3, price)
            await session.clock.step(500)
        assert bought["filled"] == 3
        known = await client.fetch_my_trades(SYMBOL)
        assert len(known) > 1  # through several levels of the book
        assert {one["id"]: trade_of(one) for one in fills.result()} == {one["id"]: trade_of(one) for one in known}
        assert {one["order"] for one in known} == {bought["id"]}
        assert sum(one["cost"] for one in known) == pytest.approx(3 * bought["average"])
        assert (orders.result()[-1]["id"], orders.result()[-1]["status"]) == (bought["id"], "closed")
        (held,) = await client.fetch_positions()
        keys = ("symbol", "side", "contracts", "entryPrice", "notional", "unrealizedPnl", "initialMargin", "leverage")
        assert [part(one, *keys) for one in positions.result()] == [part(held, *keys)]
        assert (held["side"], held["contracts"]) == ("long", 3)
        fetched = await client.fetch_balance()
        assert part(balance.result()["USDC"], "total", "used") == part(fetched["USDC"], "total", "used")
        fees = sum(one["fee"]["cost"] for one in known)
        assert fetched["USDC"]["total"] == pytest.approx(float(MONEY) - fees + held["unrealizedPnl"])

        async with session.watched("userFills", client.watch_my_trades(SYMBOL)) as fills:
            sold = await client.create_order(SYMBOL, "market", "sell", 5, price, {"reduceOnly": True})
        assert sum(one["amount"] for one in fills.result()) == sold["filled"] == 3
        assert await client.fetch_positions() == []
        closed = {one["id"]: one for one in await client.fetch_closed_orders(SYMBOL)}
        assert closed[bought["id"]]["filled"] == 3

    run(test)


def test_a_stop_fires(run: Callable[[Test], None]) -> None:
    async def test(session: Session) -> None:
        client = session.client
        price = await session.price()
        await client.create_order(SYMBOL, "market", "buy", 1, price)
        near = round(price * 0.999, 1)
        stop = await client.create_order(SYMBOL, "market", "sell", 1, near, {"stopLossPrice": near, "reduceOnly": True})
        (waiting,) = await client.fetch_open_orders(SYMBOL)
        assert part(waiting, "id", "triggerPrice", "reduceOnly") == {
            "id": stop["id"],
            "triggerPrice": near,
            "reduceOnly": True,
        }

        async def flat() -> bool:
            return not await client.fetch_positions()

        await session.step_until(flat)
        *_, last = await client.fetch_my_trades(SYMBOL)
        assert (last["order"], last["side"], last["amount"]) == (stop["id"], "sell", 1)
        assert last["price"] == pytest.approx(near, rel=0.005)
        assert (await client.fetch_order(stop["id"], SYMBOL))["status"] == "closed"

    run(test)


def test_a_bracket(run: Callable[[Test], None]) -> None:
    async def test(session: Session) -> None:
        client = session.client
        price = await session.price()
        bracket = {
            "stopLoss": {"triggerPrice": round(price * 0.998, 1), "type": "market"},
            "takeProfit": {"triggerPrice": round(price * 1.002, 1), "type": "market"},
        }
        bought = await client.create_order(SYMBOL, "market", "buy", 1, price, bracket)
        assert bought["filled"] == 1
        children = await client.fetch_open_orders(SYMBOL)
        assert {one["triggerPrice"] for one in children} == {one["triggerPrice"] for one in bracket.values()}

        async def no_order_left() -> bool:
            return not await client.fetch_open_orders(SYMBOL)

        await session.step_until(no_order_left)
        assert await client.fetch_positions() == []
        ended = {(await client.fetch_order(one["id"], SYMBOL))["status"] for one in children}
        assert ended == {"closed", "canceled"}

    run(test)


def test_many_orders_at_once(run: Callable[[Test], None]) -> None:
    async def test(session: Session) -> None:
        client = session.client
        low = round(await session.price() * 0.9, 1)
        order = {"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": 0.1, "price": low}
        made = await client.create_orders([order] * 3)
        ids = [one["id"] for one in made]
        assert {one["id"] for one in await client.fetch_open_orders()} == set(ids)
        cancelled = await client.cancel_orders_ws(ids[:2], SYMBOL)
        assert [one["status"] for one in cancelled] == ["success"] * 2
        await client.cancel_orders_for_symbols([{"symbol": SYMBOL, "id": ids[2]}])
        assert await client.fetch_open_orders() == []
        assert {one["id"] for one in await client.fetch_orders(SYMBOL)} == set(ids)

    run(test)


def test_leverage_and_margin(run: Callable[[Test], None]) -> None:
    async def test(session: Session) -> None:
        client = session.client
        await client.set_margin_mode("isolated", SYMBOL, {"leverage": 3})
        await client.create_order(SYMBOL, "market", "sell", 1, await session.price())
        held = await client.fetch_position(SYMBOL)
        assert part(held, "side", "marginMode", "leverage") == {
            "side": "short",
            "marginMode": "isolated",
            "leverage": 3,
        }
        assert held["liquidationPrice"] > held["entryPrice"]
        await client.set_leverage(5, SYMBOL, {"marginMode": "isolated"})
        await client.add_margin(SYMBOL, 100)
        more = await client.fetch_position(SYMBOL)
        assert (more["leverage"], more["liquidationPrice"] > held["liquidationPrice"]) == (5, True)
        await client.reduce_margin(SYMBOL, 50)
        assert (await client.fetch_position(SYMBOL))["liquidationPrice"] < more["liquidationPrice"]

    run(test)


def test_what_an_account_was_paid(run: Callable[[Test], None]) -> None:
    async def test(session: Session) -> None:
        client = session.client
        await client.create_order(SYMBOL, "market", "buy", 2, await session.price())
        await session.clock.step(2 * HOUR + MINUTE)
        payments = await client.fetch_funding_history(SYMBOL)
        assert len(payments) == 2
        rates = await client.fetch_funding_rate_history(SYMBOL, since=payments[0]["timestamp"] - MINUTE)
        for payment, rate in zip(payments, rates, strict=True):
            assert abs(payment["timestamp"] - rate["timestamp"]) < 1000
            assert payment["amount"] * rate["fundingRate"] <= 0  # longs pay a rate above zero
            assert abs(payment["amount"]) == pytest.approx(
                2 * await session.price() * abs(rate["fundingRate"]), rel=0.1
            )
        (deposit,) = await client.fetch_deposits()
        (entry,) = await client.fetch_ledger()
        assert deposit["amount"] == entry["amount"] == float(MONEY)
        assert await client.fetch_withdrawals() == []

    run(test)


def test_there_is_no_spot_balance(run: Callable[[Test], None]) -> None:
    async def test(session: Session) -> None:
        watched = await session.watch(session.client.watch_balance({"type": "spot"}))
        assert watched["total"] == (await session.client.fetch_balance({"type": "spot"}))["total"] == {}

    run(test)


def test_a_refusal_on_the_socket_has_its_exception(run: Callable[[Test], None]) -> None:
    async def test(session: Session) -> None:
        import ccxt

        client = session.client
        price = await session.price()
        with pytest.raises(ccxt.InvalidOrder, match="minimum value of"):
            await client.create_order_ws(SYMBOL, "limit", "buy", 0.001, price)
        with pytest.raises(ccxt.InsufficientFunds):
            await client.create_order_ws(SYMBOL, "limit", "buy", 1000, round(price * 0.99, 1))
        with pytest.raises(ccxt.OrderNotFound):
            await client.cancel_order_ws("1", SYMBOL)

    run(test)
