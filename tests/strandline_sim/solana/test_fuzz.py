"""Any request gets a valid response, never a server error."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strandline_sim.solana.rpc_server import METHODS
from tests.strandline_sim.solana.simulation import SOL, USDC, Simulation, open_simulation

SIGNATURE = "5" * 87
words = st.sampled_from([USDC, SOL, SIGNATURE, "base64", "jsonParsed", "finalized", "processed", "AAAA", "", "7", "-1"])
names = st.sampled_from(
    [
        *("commitment", "encoding", "mint", "programId", "limit", "before", "dataSlice", "minContextSlot", "accounts"),
        *("quoteResponse", "taker", "inAmount", "outAmount", "slippageBps", "inputMint", "outputMint"),
        *(
            "userPublicKey",
            "prioritizationFeeLamports",
            "wrapAndUnwrapSol",
            "tipAmount",
            "payer",
            "destinationTokenAccount",
        ),
        *("amount", "ids", "query", "computeUnitPricePercentile", "blockhashSlotsToExpiry", "routePlan", "addresses"),
    ]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=6),
    max_leaves=12,
)


async def check_all(sim: Simulation, params: list[Any], body: dict[str, Any], query: dict[str, str]) -> None:
    """Send these parameters to every method and path."""
    calls = [{"jsonrpc": "2.0", "id": 1, "method": method, "params": params} for method in METHODS]
    async with sim.http.post(sim.rpc_url, json=calls) as response:
        answers = await response.json()
    assert len(answers) == len(METHODS)
    assert all("result" in answer or answer["error"]["code"] < 0 for answer in answers)
    for path in ("/swap/v2/swap", "/swap/v2/swap-instructions"):
        async with sim.http.post(sim.jupiter_url + path, json=body) as response:
            assert response.status in {200, 400, 422}, await response.text()
    for path in ("/swap/v2/quote", "/price/v3", "/tokens/v2/search"):
        async with sim.http.get(sim.jupiter_url + path, params=query) as response:
            assert response.status in {200, 400}, await response.text()


@pytest.mark.slow
def test_any_request_gets_a_valid_response() -> None:
    with asyncio.Runner() as runner:
        opened = open_simulation()
        sim = runner.run(opened.__aenter__())

        @settings(max_examples=30)
        @given(
            st.lists(
                st.tuples(st.lists(words | values, max_size=3), st.dictionaries(names, values, max_size=8)), max_size=8
            ),
            st.dictionaries(names, words, max_size=8),
        )
        def check(requests: list[tuple[list[Any], dict[str, Any]]], query: dict[str, str]) -> None:
            for params, body in requests:
                runner.run(check_all(sim, params, body, query))

        try:
            check()
        finally:
            runner.run(opened.__aexit__(None, None, None))
