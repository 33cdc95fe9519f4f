"""Everything that the simulated Hyperliquid answers has the shape that the venue documents."""

import asyncio

import pytest

from tests.docs.simulated_names import listed
from tests.strandline_sim.contract.contract import Contract
from tests.strandline_sim.contract.schemas.hyperliquid import schemas
from tests.strandline_sim.contract.schemas.hyperliquid_exchange import EXCHANGE
from tests.strandline_sim.contract.schemas.hyperliquid_info import INFO
from tests.strandline_sim.contract.schemas.hyperliquid_stream import TOPICS
from tests.strandline_sim.contract.trading_session import ask_everything, too_many, too_often, trade, trading_session

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
        await too_often(contract)

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
