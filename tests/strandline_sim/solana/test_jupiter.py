"""Quotes, prices, tokens, refusals and limits."""

from typing import Any

import pytest

from strandline_sim.faults import FaultKind, Rule
from strandline_sim.solana import Plans
from tests.strandline_sim.solana.simulation import BONK, SOL, UNLIMITED, UNPRICED, USDC, Simulation, run

UNKNOWN_MINT = "11111111111111111111111111111112"
QUERY = {"inputMint": USDC, "outputMint": SOL, "amount": "1000000"}


def test_a_quote_has_jupiters_fields() -> None:
    async def scenario(sim: Simulation) -> None:
        quote = await sim.quote(USDC, SOL, 150_000_000, slippage=100)
        assert int(quote["otherAmountThreshold"]) == int(quote["outAmount"]) * 99 // 100
        assert abs(int(quote["outAmount"]) / 10**9 - 1) < 0.001
        assert quote["contextSlot"] == 320_000_000
        [hop] = quote["routePlan"]
        assert hop["swapInfo"]["outAmount"] == quote["outAmount"]
        assert (hop["percent"], hop["bps"]) == (100, 10_000)

    run(scenario)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"inputMint": "?"}, None),
        ({"amount": "0"}, None),
        ({"amount": "-5"}, None),
        ({"amount": "1.5"}, None),
        ({"slippageBps": "10001"}, None),
        ({"outputMint": USDC}, "CIRCULAR_ARBITRAGE_IS_DISABLED"),
        ({"outputMint": UNKNOWN_MINT}, "TOKEN_NOT_TRADABLE"),
        ({"outputMint": str(UNPRICED.mint)}, "TOKEN_NOT_TRADABLE"),
        ({"inputMint": BONK, "outputMint": SOL, "amount": "1"}, "COULD_NOT_FIND_ANY_ROUTE"),
        ({"swapMode": "ExactOut"}, "NOT_SUPPORTED"),
        ({"platformFeeBps": "10"}, "NOT_SUPPORTED"),
    ],
)
def test_refused_quotes(change: dict[str, str], code: str | None) -> None:
    async def scenario(sim: Simulation) -> None:
        answer = await sim.get_refused("/swap/v2/quote", 400, **{**QUERY, **change})
        assert answer["error"]
        assert answer.get("errorCode") == code

    run(scenario)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ([], 422),
        ({"quoteResponse": {}, "taker": USDC}, 400),
        ({"quoteResponse": None, "taker": USDC}, 422),
        ({"feeAccount": USDC}, 400),
        ({"quoteResponse": {"inAmount": "1", "outAmount": "1", "slippageBps": 1}, "taker": USDC}, 400),
        (
            {
                "quoteResponse": {
                    "inAmount": "1",
                    "outAmount": "1",
                    "slippageBps": 1,
                    "inputMint": UNKNOWN_MINT,
                    "outputMint": USDC,
                },
                "taker": USDC,
            },
            400,
        ),
    ],
)
def test_refused_swaps(body: Any, status: int) -> None:
    async def scenario(sim: Simulation) -> None:
        assert (await sim.post("/swap/v2/swap", body, status))["error"]
        async with sim.http.post(sim.jupiter_url + "/swap/v2/swap", data=b"{") as answer:
            assert answer.status == 400

    run(scenario)


@pytest.mark.parametrize(
    ("options", "fee"),
    [
        ({}, 7_000),
        ({"computeUnitPriceMicroLamports": 1_000}, 1_400),
        ({"prioritizationFeeLamports": 2_800}, 2_800),
        ({"prioritizationFeeLamports": {"jitoTipLamports": 5_000}}, 0),
        (
            {
                "prioritizationFeeLamports": {
                    "priorityLevelWithMaxLamports": {"priorityLevel": "veryHigh", "maxLamports": 1400}
                }
            },
            1400,
        ),
        ({"dynamicComputeUnitLimit": True, "computeUnitPriceMicroLamports": 1_000_000}, 200_000),
    ],
)
def test_priority_fees_with_the_names_of_v1(options: dict[str, Any], fee: int) -> None:
    """@jup-ag/api sends V1's body to any base path."""

    async def scenario(sim: Simulation) -> None:
        body = {"userPublicKey": USDC, "quoteResponse": await sim.get("/swap/v2/quote", **QUERY), **options}
        assert (await sim.post("/swap/v2/swap", body))["prioritizationFeeLamports"] == fee

    run(scenario)


@pytest.mark.parametrize(
    "options",
    [
        {"computeUnitPriceMicroLamports": 1, "prioritizationFeeLamports": 1},
        {"prioritizationFeeLamports": {"priorityLevelWithMaxLamports": {"priorityLevel": "utmost", "maxLamports": 1}}},
        {"prioritizationFeeLamports": -1},
        {"prioritizationFeeLamports": "auto"},
    ],
)
def test_refused_priority_fees(options: dict[str, Any]) -> None:
    async def scenario(sim: Simulation) -> None:
        body = {"userPublicKey": USDC, "quoteResponse": await sim.get("/swap/v2/quote", **QUERY), **options}
        assert (await sim.post("/swap/v2/swap", body, 400))["error"]

    run(scenario)


def test_options_of_a_swap() -> None:
    async def scenario(sim: Simulation) -> None:
        body = {"taker": USDC, "quoteResponse": await sim.quote(USDC, SOL, 1_000_000)}
        first = await sim.post("/swap/v2/swap", {**body, "computeUnitPricePercentile": "high"})
        assert first["computeUnitPrice"] == "20000"
        assert (await sim.post("/swap/v2/swap", {**body, "computeUnitPricePercentile": 5000}))["computeUnitPrice"] > "0"
        await sim.post("/swap/v2/swap", {**body, "computeUnitPricePercentile": "utmost"}, 400)
        short = await sim.post("/swap/v2/swap", {**body, "blockhashSlotsToExpiry": 20})
        tipped = await sim.post("/swap/v2/swap", {**body, "tipAmount": 1_000_000})
        assert len(tipped["swapTransaction"]) > len(short["swapTransaction"])
        await sim.post("/swap/v2/swap", {**body, "tipAmount": 5}, 400)
        assert short["lastValidBlockHeight"] == 300_000_000 - 1 + 20

    run(scenario)


def test_prices() -> None:
    async def scenario(sim: Simulation) -> None:
        prices = await sim.get("/price/v3", ids=f"{SOL},{USDC},{UNPRICED.mint},{UNKNOWN_MINT},rubbish")
        assert set(prices) == {SOL, USDC}
        assert abs(prices[SOL]["usdPrice"] - 150) < 0.1
        assert prices[USDC]["decimals"] == 6
        await sim.get_refused("/price/v3", 400, ids=",".join([SOL] * 51))
        await sim.get_refused("/price/v3", 400)

    run(scenario)


def test_tokens() -> None:
    async def scenario(sim: Simulation) -> None:
        by_symbol = await sim.get("/tokens/v2/search", query="bon")
        assert [token["id"] for token in by_symbol] == [BONK]
        by_mint = await sim.get("/tokens/v2/search", query=f"{SOL},{USDC}")
        assert {token["symbol"] for token in by_mint} == {"SOL", "USDC"}
        [unpriced] = await sim.get("/tokens/v2/search", query=str(UNPRICED.mint))
        assert unpriced["usdPrice"] is None

    run(scenario)


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("path", ["/ultra/v1/order", "/swap/v1/quote", "/swap/v2/build", "/", "/tokens/v2/search/more"])
def test_what_is_not_simulated_says_so(method: str, path: str) -> None:
    async def scenario(sim: Simulation) -> None:
        async with sim.http.request(method, sim.jupiter_url + path, params=QUERY) as answer:
            assert answer.status == 404
            assert await answer.json() == {"error": f"{method} {path} is not simulated", "errorCode": "NOT_FOUND"}
            assert answer.headers["x-api-gateway-request-id"]

    run(scenario)


def test_another_method_on_a_simulated_path() -> None:
    async def scenario(sim: Simulation) -> None:
        refused = await sim.post("/swap/v2/quote", {}, 404)
        assert refused["error"] == "POST /swap/v2/quote is not simulated"

    run(scenario)


def test_the_rate_limit_of_the_gateway() -> None:
    async def scenario(sim: Simulation) -> None:
        url = sim.jupiter_url + "/price/v3"
        async with sim.http.get(url, params={"ids": SOL}, headers={"x-api-key": "wrong"}) as answer:
            assert answer.status == 401
        for left in (29, 28):
            async with sim.http.get(url, params={"ids": SOL}) as answer:
                assert answer.headers["x-ratelimit-remaining"] == str(left)
                assert answer.headers["x-api-gateway-request-id"]
        for _ in range(28):
            await sim.get("/price/v3", ids=SOL)
        await sim.clock.step(1000)
        async with sim.http.get(url, params={"ids": SOL}) as answer:
            assert answer.status == 429
            assert await answer.text() == "[API Gateway] Too many requests"
            assert answer.headers["x-ratelimit-reset"] == str(1_760_000_060)
        async with sim.http.get(url, params={"ids": SOL}, headers={"x-api-key": "slow"}) as answer:
            assert answer.headers["x-ratelimit-remaining"] == "59"
        await sim.clock.step(59_000)
        await sim.get("/price/v3", ids=SOL)

    run(scenario, plans=Plans({"slow": 1.0}))


@pytest.mark.parametrize("plans", [Plans(), UNLIMITED])
def test_an_injected_429_has_the_gateways_body(plans: Plans) -> None:
    async def scenario(sim: Simulation) -> None:
        async with sim.http.get(sim.jupiter_url + "/swap/v2/quote", params=QUERY) as answer:
            assert (answer.status, await answer.text()) == (429, "[API Gateway] Too many requests")

    run(scenario, Rule(route="solana/jupiter/quote", kind=FaultKind.STATUS, value=429), plans=plans)


def test_a_quote_that_lags() -> None:
    async def scenario(sim: Simulation) -> None:
        await sim.blocks(6)
        stale, fresh = await sim.quote(USDC, BONK, 1_000_000), await sim.quote(USDC, BONK, 1_000_000)
        assert int(stale["outAmount"]) > int(fresh["outAmount"])  # the price has risen since

    run(scenario, Rule(route="solana/jupiter/quote", kind=FaultKind.LAG, value=2400))
