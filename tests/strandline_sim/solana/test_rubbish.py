"""Whatever a client sends, it gets an answer that it can read, never a server error."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strandline_sim.solana.rpc_server import METHODS
from tests.strandline_sim.solana.box import SOL, USDC, Box, open_box

SIGNATURE = "5" * 87
words = st.sampled_from([USDC, SOL, SIGNATURE, "base64", "jsonParsed", "finalized", "processed", "AAAA", "", "7", "-1"])
names = st.sampled_from(
    [
        *("commitment", "encoding", "mint", "programId", "limit", "before", "dataSlice", "minContextSlot", "accounts"),
        *("quoteResponse", "taker", "inAmount", "outAmount", "slippageBps", "inputMint", "outputMint"),
        *("wrapAndUnwrapSol", "tipAmount", "payer", "destinationTokenAccount"),
        *("amount", "ids", "query", "computeUnitPricePercentile", "blockhashSlotsToExpiry", "routePlan", "addresses"),
    ]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=6),
    max_leaves=12,
)


async def answers(box: Box, params: list[Any], body: dict[str, Any], query: dict[str, str]) -> None:
    """Ask everything."""
    for method in METHODS:
        answer = await box.call(method, *params)
        assert "result" in answer or answer["error"]["code"] < 0
    async with box.http.post(box.jupiter_url + "/swap/v2/swap", json=body) as response:
        assert response.status in {200, 400, 422}, await response.text()
    for path in ("/swap/v2/quote", "/price/v3", "/tokens/v2/search"):
        async with box.http.get(box.jupiter_url + path, params=query) as response:
            assert response.status in {200, 400}, await response.text()


@pytest.mark.slow
@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.lists(words | values, max_size=3), st.dictionaries(names, values, max_size=8)), max_size=8),
    st.dictionaries(names, words, max_size=8),
)
def test_rubbish_is_answered(rubbish: list[tuple[list[Any], dict[str, Any]]], query: dict[str, str]) -> None:
    async def story() -> None:
        async with open_box() as box:
            for params, body in rubbish:
                await answers(box, params, body, query)

    asyncio.run(story())
