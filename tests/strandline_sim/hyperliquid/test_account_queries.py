"""/info about an account's past and fees, and lists that are empty here, in the shapes that clients parse."""

import asyncio
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import requests
from hyperliquid.exchange import Exchange  # type: ignore[import-untyped]

from strandline_sim.clock import SteppedClock
from strandline_sim.hyperliquid.rules import Rules
from strandline_sim.hyperliquid.venue import HyperliquidVenue
from tests.strandline_sim.hyperliquid.sample_venue import ALICE, DAY, MONEY, START, make_venue, served

USER = ALICE.address.lower()
UNKNOWN = "0x" + "ef" * 20
NUMBER = re.compile(r"-?\d+\.\d+")
HOUR = 3_600_000


class Client:
    """A client of a served venue with a stepped clock."""

    def __init__(self, venue: HyperliquidVenue, url: str, clock: SteppedClock) -> None:
        self.venue = venue
        self._url = url
        self.clock = clock
        self.exchange = Exchange(ALICE, url, timeout=10)

    def query(self, kind: str, user: str = USER, **more: Any) -> Any:
        answer = requests.post(self._url + "/info", json={"type": kind, "user": user, **more}, timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def wait(self, milliseconds: int) -> None:
        asyncio.run(self.clock.step(milliseconds))


@pytest.fixture
def client() -> Iterator[Client]:
    clock = SteppedClock(START)
    venue, _ = make_venue(clock=clock, nonce_window=False, rules=Rules(update_ms=HOUR // 4))
    with served(venue) as url:
        yield Client(venue, url, clock)


def values(history: list[list[Any]]) -> list[Decimal]:
    assert all(NUMBER.fullmatch(value) for _, value in history)
    times = [at for at, _ in history]
    assert times == sorted(set(times))
    return [Decimal(value) for _, value in history]


def test_the_portfolio_ends_with_what_the_account_is_worth(client: Client) -> None:
    assert client.exchange.market_open("SOL", True, 20)["status"] == "ok"
    client.wait(3 * HOUR)
    assert client.exchange.market_open("BTC", False, 0.02)["status"] == "ok"
    client.wait(2 * DAY)
    assert client.exchange.market_close("SOL")["status"] == "ok"
    client.wait(HOUR)
    worth = Decimal(client.query("clearinghouseState")["marginSummary"]["accountValue"])
    periods = dict(client.query("portfolio"))
    assert list(periods) == [
        "day", "week", "month", "allTime", "perpDay", "perpWeek", "perpMonth", "perpAllTime",
    ]  # fmt: skip
    fills = client.query("userFills")
    for name, period in periods.items():
        assert set(period) == {"accountValueHistory", "pnlHistory", "vlm"}
        account, profit = values(period["accountValueHistory"]), values(period["pnlHistory"])
        assert account[-1] == worth
        assert profit[0] == 0
        assert profit[-1] == account[-1] - account[0]
        assert period["accountValueHistory"][-1][0] == client.clock.now()
        since = period["accountValueHistory"][0][0]
        assert Decimal(period["vlm"]) == sum(Decimal(f["px"]) * Decimal(f["sz"]) for f in fills if f["time"] >= since)
        assert len(set(account)) > 10
        assert since == (client.clock.now() - DAY if name in {"day", "perpDay"} else START)
    assert Decimal(periods["day"]["vlm"]) < Decimal(periods["week"]["vlm"])


def test_a_deposit_is_no_profit(client: Client) -> None:
    client.wait(DAY // 2)
    client.venue.deposit(USER, Decimal(500))
    client.wait(DAY // 2)
    for name, period in client.query("portfolio"):
        assert set(values(period["accountValueHistory"])) == {MONEY, MONEY + 500}, name
        assert set(values(period["pnlHistory"])) == {0}
    for _, period in client.query("portfolio", user=UNKNOWN):
        assert values(period["accountValueHistory"]) == [0]


def test_fees_have_the_volume_of_every_day(client: Client) -> None:
    fees = client.query("userFees")
    assert fees["dailyUserVlm"] == []
    assert set(fees) == {
        "dailyUserVlm", "feeSchedule", "userCrossRate", "userAddRate", "userSpotCrossRate", "userSpotAddRate",
        "activeReferralDiscount", "trial", "feeTrialEscrow", "nextTrialAvailableTimestamp", "stakingLink",
        "activeStakingDiscount",
    }  # fmt: skip
    assert set(fees["feeSchedule"]) == {
        "cross", "add", "spotCross", "spotAdd", "tiers", "referralDiscount", "stakingDiscountTiers",
    }  # fmt: skip
    client.exchange.market_open("SOL", True, 20)
    client.wait(DAY)
    client.exchange.market_close("SOL")
    days = client.query("userFees")["dailyUserVlm"]
    assert [day["date"] for day in days] == ["2026-01-01", "2026-01-02"]
    opened, closed = (
        sum(Decimal(fill["px"]) * Decimal(fill["sz"]) for fill in client.query("userFills") if fill["dir"] == kind)
        for kind in ("Open Long", "Close Long")
    )
    assert [Decimal(day["userCross"]) for day in days] == [opened, closed]
    assert [day["userAdd"] for day in days] == ["0.0", "0.0"]
    assert Decimal(days[0]["exchange"]) > opened
    client.wait(20 * DAY)
    assert len(client.query("userFees")["dailyUserVlm"]) == 15


def test_there_are_no_builders_no_caps_and_no_spot(client: Client) -> None:
    assert client.query("maxBuilderFee", builder=UNKNOWN) == 0
    assert client.query("perpsAtOpenInterestCap") == []
    meta = client.query("spotMeta")
    assert client.query("spotMetaAndAssetCtxs") == [meta, []]
    (usdc,) = meta["tokens"]
    assert set(usdc) == {
        "name", "szDecimals", "weiDecimals", "index", "tokenId", "isCanonical", "evmContract", "fullName",
        "deployerTradingFeeShare",
    }  # fmt: skip
    with pytest.raises(AssertionError, match="Failed to deserialize"):
        client.query("maxBuilderFee", builder="me")


def test_web_data_is_what_the_queries_say(client: Client) -> None:
    client.exchange.market_open("SOL", True, 5)
    client.exchange.order("SOL", True, 1, 100, {"limit": {"tif": "Gtc"}})
    answer, key = client.exchange.approve_agent()
    assert answer["status"] == "ok"
    data = client.query("webData2")
    meta, contexts = client.query("metaAndAssetCtxs")
    assert (data["meta"], data["assetCtxs"]) == (meta, contexts)
    assert data["clearinghouseState"] == client.query("clearinghouseState")
    assert data["openOrders"] == client.query("frontendOpenOrders") != []
    assert (data["user"], data["serverTime"], data["isVault"]) == (USER, client.clock.now(), False)
    assert Decimal(data["cumLedger"]) == MONEY
    assert client.query("userRole", user=data["agentAddress"])["data"] == {"user": USER}
    assert len(key) == 66
    assert client.query("webData2", user=UNKNOWN)["agentAddress"] is None
