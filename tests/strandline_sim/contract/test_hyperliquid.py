"""Everything that the simulated Hyperliquid answers has the shape that the venue documents."""

import asyncio
from typing import Any

import aiohttp
import pytest

from strandline_sim.clock import SteppedClock
from strandline_sim.hyperliquid.limits import Limits
from tests.docs.simulated_names import listed
from tests.strandline_sim.contract.contract import Contract
from tests.strandline_sim.contract.schemas.hyperliquid import schemas
from tests.strandline_sim.contract.schemas.hyperliquid_exchange import EXCHANGE
from tests.strandline_sim.contract.schemas.hyperliquid_info import INFO
from tests.strandline_sim.contract.schemas.hyperliquid_stream import TOPICS
from tests.strandline_sim.contract.trading_session import ask_everything, too_many, trade, trading_session
from tests.strandline_sim.hyperliquid.sample_venue import START, make_venue

ALWAYS_EMPTY = {
    "frame notification",
    "info perpDexs",
    "info perpsAtOpenInterestCap",
    "info spotClearinghouseState",
    "info subAccounts",
}
NOT_SIMULATED = {
    # builders, spot, other dexes, vaults, sub-accounts, other modes of an account
    "action approveBuilderFee|ok",
    "frame allMids.data.dex",
    "frame subscriptionResponse.data.subscription|allMids.dex",
    "frame webData3.data.userState.abstraction=dexAbstraction",
    "frame webData3.data.userState.abstraction=portfolioMargin",
    "frame webData3.data.userState.abstraction=unifiedAccount",
    "info historicalOrders[].status=insufficientSpotBalanceRejected",
    "info historicalOrders[].status=outcomeSettledCanceled",
    "info historicalOrders[].status=vaultWithdrawalCanceled",
    "info spotClearinghouseState.balances[]",
    "info spotMeta.tokens[].evmContract|object",
    "info spotMeta.tokens[].fullName|string",
    "info spotMeta.universe[]",
    "info spotMetaAndAssetCtxs[1][]",
    "info userAbstraction=default",
    "info userAbstraction=dexAbstraction",
    "info userAbstraction=portfolioMargin",
    "info userAbstraction=unifiedAccount",
    "info userFills[].builderFee",
    "info userFills[].dir=Buy",
    "info userFills[].dir=Sell",
    "info userRole|plain.role=vault",
    "info userRole|subAccount",
    # listings that end or are restricted, caps on open interest, a book without one of its sides
    "frame bbo.data.bbo[0]|null",
    "frame bbo.data.bbo[1]|null",
    "frame webData3.data.perpDexStates[].perpsAtOpenInterestCap[]",
    "info historicalOrders[].status=delistedCanceled",
    "info historicalOrders[].status=internalCancel",
    "info historicalOrders[].status=marketOrderNoLiquidityRejected",
    "info historicalOrders[].status=openInterestCapCanceled",
    "info historicalOrders[].status=openInterestIncreaseRejected",
    "info historicalOrders[].status=perpMaxPositionRejected",
    "info historicalOrders[].status=positionFlipAtOpenInterestCapRejected",
    "info historicalOrders[].status=positionIncreaseAtOpenInterestCapRejected",
    "info historicalOrders[].status=tooAggressiveAtOpenInterestCapRejected",
    "info meta.universe[].isDelisted",
    "info meta.universe[].marginMode",
    "info meta.universe[].onlyIsolated",
    "info metaAndAssetCtxs[1][].impactPxs|null",
    "info metaAndAssetCtxs[1][].midPx|null",
    "info metaAndAssetCtxs[1][].premium|null",
    "info perpsAtOpenInterestCap[]",
    "info webData2.perpsAtOpenInterestCap[]",
    # tiers of fees, TWAP orders, candles of a month, notifications
    "frame notification.channel",
    "frame notification.data",
    "info candleSnapshot[].i=1M",
    "info userFees.feeSchedule.tiers.mm[]",
    "info userFees.feeSchedule.tiers.vip[]",
    "info userFills[].twapId|integer",
    # what the venue may leave out
    "frame l2Book.data.spread",
    "info l2Book.spread",
    "frame user.data|funding.funding.nSamples|integer",
    "info userFunding[].delta.nSamples|integer",
}
"""The parts of answers that the venue has and the simulated one never shows."""


@pytest.fixture(scope="module")
def contract() -> Contract:
    """Return the contract after everything was done and asked."""
    contract = Contract(schemas())

    async def drive() -> None:
        async with trading_session(contract) as session:
            await trade(session)
            await ask_everything(session)
            await too_many(session)

    asyncio.run(drive())
    return contract


def test_every_name_has_a_schema() -> None:
    assert set(listed("Hyperliquid: types of /info")[0]) == set(INFO)
    assert set(listed("Hyperliquid: actions of /exchange")[0]) == set(EXCHANGE)
    assert set(listed("Hyperliquid: topics of the WebSocket")[0]) == set(TOPICS)


def test_every_answer_has_the_venues_shape(contract: Contract) -> None:
    assert contract.broken == {}


def test_every_answer_has_been_seen_with_something_in_it(contract: Contract) -> None:
    assert contract.empty() == ALWAYS_EMPTY


def test_every_part_of_an_answer_has_been_seen(contract: Contract) -> None:
    assert contract.unseen() == NOT_SIMULATED


def test_too_many_requests_in_a_minute() -> None:
    async def ask() -> tuple[int, object, Any]:
        clock = SteppedClock(START)
        venue, _ = make_venue(clock=clock, limits=Limits(weight_per_minute=1))
        url = await venue.start()
        query = {"type": "allMids"}
        try:
            async with aiohttp.ClientSession() as http, http.ws_connect(f"{url}/ws") as socket:
                await http.post(f"{url}/info", json=query)
                answer = await http.post(f"{url}/info", json=query)
                request = {"type": "info", "payload": query}
                await socket.send_json({"method": "post", "id": 1, "request": request})
                return answer.status, await answer.json(), await socket.receive_json()
        finally:
            await venue.stop()

    status, body, frame = asyncio.run(ask())
    assert (status, body) == (429, None)
    contract = Contract(schemas())
    contract.check("frame post", frame)
    assert contract.broken == {}
    assert frame["data"]["response"]["type"] == "error"
