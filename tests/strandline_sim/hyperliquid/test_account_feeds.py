"""Feeds of an account's state and of its deposits: a snapshot first, then an update when something has changed."""

from decimal import Decimal
from typing import Any

import pytest

from strandline_sim.hyperliquid.limits import Limits
from strandline_sim.hyperliquid.orders import OrderSpec, Tif
from tests.strandline_sim.hyperliquid.sample_venue import ALICE, BOB, MONEY
from tests.strandline_sim.hyperliquid.stream_client import Connection, with_connection

USER = ALICE.address.lower()
UNKNOWN = "0x" + "ef" * 20
STATES: dict[str, dict[str, Any]] = {
    "clearinghouseState": {"dex": ""},
    "spotState": {"ignorePortfolioMargin": False},
    "openOrders": {"dex": ""},
    "activeAssetData": {"coin": "SOL"},
    "webData2": {},
    "webData3": {},
}


async def snapshot_of(connection: Connection, kind: str, user: str = USER, **more: Any) -> Any:
    echo = await connection.subscribe(type=kind, user=user, **more)
    assert echo == {"type": kind, "user": user, **more}
    frame = await connection.receive()
    assert frame["channel"] == kind
    return frame["data"]


async def info(connection: Connection, kind: str, **more: Any) -> Any:
    payload = {"type": kind, "user": USER, **more}
    await connection.send({"method": "post", "id": 1, "request": {"type": "info", "payload": payload}})
    while (frame := await connection.receive())["channel"] != "post":
        pass
    return frame["data"]["response"]["payload"]["data"]


def place(connection: Connection, *, buy: bool, px: str, size: str, tif: Tif) -> None:
    exchange = connection.venue.exchange
    account = exchange.account(USER)
    assert account is not None
    exchange.place(account, [OrderSpec(2, buy, Decimal(px), Decimal(size), tif=tif)])


@with_connection()
async def test_the_state_of_an_account(connection: Connection) -> None:
    place(connection, buy=True, px="100", size="1", tif=Tif.GTC)
    place(connection, buy=True, px="170", size="2", tif=Tif.IOC)
    data = await snapshot_of(connection, "clearinghouseState", dex="")
    assert (data["dex"], data["user"]) == ("", USER)
    assert data["clearinghouseState"] == await info(connection, "clearinghouseState")
    assert data["clearinghouseState"]["assetPositions"][0]["position"]["szi"] == "2.0"
    spot = await snapshot_of(connection, "spotState", ignorePortfolioMargin=False)
    assert spot == {"user": USER, "spotState": await info(connection, "spotClearinghouseState")}
    orders = await snapshot_of(connection, "openOrders", dex="")
    assert orders == {"dex": "", "user": USER, "orders": await info(connection, "frontendOpenOrders")}
    assert [order["limitPx"] for order in orders["orders"]] == ["100.0"]
    asset = await snapshot_of(connection, "activeAssetData", coin="SOL")
    assert asset == await info(connection, "activeAssetData", coin="SOL")
    assert await snapshot_of(connection, "webData2") == await info(connection, "webData2")
    page = await snapshot_of(connection, "webData3")
    assert page["userState"] == {
        "agentAddress": None, "agentValidUntil": None, "cumLedger": "10000.0", "serverTime": connection.clock.now(),
        "isVault": False, "user": USER, "abstraction": "disabled",
    }  # fmt: skip
    assert page["perpDexStates"] == [{"totalVaultEquity": "0.0", "perpsAtOpenInterestCap": [], "leadingVaults": []}]


@with_connection()
async def test_an_update_comes_when_the_state_has_changed(connection: Connection) -> None:
    for kind, more in STATES.items():
        if kind != "webData2":  # it has the market in it, which changes by itself
            await snapshot_of(connection, kind, **more)
    await connection.clock.step(6000)
    changed = {frame["channel"] for frame in await connection.frames()}
    assert changed <= {"activeAssetData"}  # the mark
    place(connection, buy=True, px="100", size="1", tif=Tif.GTC)
    await connection.clock.step(500)
    found = {frame["channel"]: frame["data"] for frame in await connection.frames()}
    assert [order["limitPx"] for order in found["openOrders"]["orders"]] == ["100.0"]
    place(connection, buy=True, px="170", size="2", tif=Tif.IOC)
    await connection.clock.step(500)
    found = {frame["channel"]: frame["data"] for frame in await connection.frames()}
    (held,) = found["clearinghouseState"]["clearinghouseState"]["assetPositions"]
    assert held["position"]["szi"] == "2.0"
    assert "openOrders" not in found
    assert Decimal(found["activeAssetData"]["availableToTrade"][0]) < 9990
    connection.venue.deposit(USER, Decimal(5))
    await connection.clock.step(6000)
    found = {frame["channel"]: frame["data"] for frame in await connection.frames()}
    assert found["webData3"]["userState"]["cumLedger"] == "10005.0"


@with_connection()
async def test_a_second_subscriber_does_not_swallow_an_update_of_the_first(connection: Connection) -> None:
    await snapshot_of(connection, "openOrders", dex="")
    place(connection, buy=True, px="100", size="1", tif=Tif.GTC)
    async with connection.second() as other:
        assert len((await snapshot_of(other, "openOrders", dex=""))["orders"]) == 1
        await connection.clock.step(500)
        (frame,) = await connection.frames()
        assert len(frame["data"]["orders"]) == 1


@with_connection()
async def test_deposits(connection: Connection) -> None:
    data = await snapshot_of(connection, "userNonFundingLedgerUpdates")
    assert (data["user"], data["isSnapshot"]) == (USER, True)
    assert data["nonFundingLedgerUpdates"] == await info(connection, "userNonFundingLedgerUpdates")
    assert [one["delta"] for one in data["nonFundingLedgerUpdates"]] == [{"type": "deposit", "usdc": str(MONEY) + ".0"}]
    connection.venue.deposit(BOB.address, Decimal(3))
    connection.venue.deposit(USER, Decimal(7))
    await connection.clock.step(500)
    (frame,) = await connection.frames()
    assert frame["channel"] == "userNonFundingLedgerUpdates"
    assert frame["data"]["user"] == USER
    assert "isSnapshot" not in frame["data"]
    assert [one["delta"]["usdc"] for one in frame["data"]["nonFundingLedgerUpdates"]] == ["7.0"]


@with_connection()
async def test_an_unknown_account_is_empty_and_notifications_stay_silent(connection: Connection) -> None:
    assert await connection.subscribe(type="notification", user=USER) == {"type": "notification", "user": USER}
    state = await snapshot_of(connection, "clearinghouseState", user=UNKNOWN, dex="")
    assert state["clearinghouseState"]["marginSummary"]["accountValue"] == "0.0"
    assert (await snapshot_of(connection, "openOrders", user=UNKNOWN, dex=""))["orders"] == []
    updates = await snapshot_of(connection, "userNonFundingLedgerUpdates", user=UNKNOWN)
    assert updates["nonFundingLedgerUpdates"] == []
    assert (await snapshot_of(connection, "webData2", user=UNKNOWN))["user"] == UNKNOWN
    place(connection, buy=True, px="170", size="2", tif=Tif.IOC)
    await connection.clock.step(1000)
    assert {frame["channel"] for frame in await connection.frames()} == {"webData2"}  # the market changes


@pytest.mark.parametrize("kind", [*STATES, "userNonFundingLedgerUpdates", "notification"])
def test_accounts_are_limited_in_number(kind: str) -> None:
    @with_connection(Limits(users=1))
    async def limited(connection: Connection) -> None:
        await connection.subscribe(type="orderUpdates", user=BOB.address)
        await connection.send({"method": "subscribe", "subscription": {"type": kind, "user": USER, "coin": "SOL"}})
        assert (await connection.receive())["data"] == "Cannot track more than 1 total users."

    limited()
