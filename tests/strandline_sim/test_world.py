"""The whole simulation: both venues on one market and one clock, and the control port."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
from solana.rpc.async_api import AsyncClient
from solders.keypair import Keypair

from strandline_sim.clock import RunningClock, SteppedClock
from strandline_sim.faults import FaultKind, Rule
from strandline_sim.symbols import PERPS
from strandline_sim.world import Endpoints, World

START = 1_790_000_000_000
WALLET = Keypair.from_seed(b"w" * 32).pubkey()
ADDRESS = "0x" + "ab" * 20
SOL = "So11111111111111111111111111111111111111112"


class Client:
    """A simulation and requests to it."""

    def __init__(self, world: World, endpoints: Endpoints, http: aiohttp.ClientSession) -> None:
        self.world = world
        self.endpoints = endpoints
        self._http = http

    async def control(self, method: str, path: str, body: object = None, status: int = 200) -> Any:
        """Request the control port; return JSON, or the lines of the tape."""
        async with self._http.request(method, self.endpoints.control + path, json=body) as answer:
            assert answer.status == status, await answer.text()
            if answer.content_type == "application/jsonl":
                return [json.loads(line) for line in (await answer.text()).splitlines()]
            return await answer.json()

    async def info(self, **request: object) -> Any:
        """Query Hyperliquid."""
        async with self._http.post(f"{self.endpoints.hyperliquid}/info", json=request) as answer:
            return await answer.json()

    async def jupiter(self, path: str, **query: str) -> Any:
        """Query Jupiter."""
        async with self._http.get(self.endpoints.jupiter + path, params=query) as answer:
            return await answer.json()


def run(scenario: Callable[[Client], Awaitable[None]], **options: Any) -> World:
    """Run a scenario on a served simulation."""

    async def serve() -> World:
        world = World(SteppedClock(START), seed=5, limited=False, real_time=False, **options)
        endpoints = await world.start()
        try:
            async with aiohttp.ClientSession() as http:
                await scenario(Client(world, endpoints, http))
        finally:
            await world.stop()
        return world

    return asyncio.run(serve())


def test_both_venues_have_the_same_price() -> None:
    async def scenario(client: Client) -> None:
        for _ in range(3):
            await client.control("POST", "/clock/step", {"milliseconds": 600_000})
            perp = Decimal((await client.info(type="allMids"))["SOL"])
            token = Decimal(str((await client.jupiter("/price/v3", ids=SOL))[SOL]["usdPrice"]))
            assert abs(perp / token - 1) < Decimal("0.01")

    run(scenario)


def test_perps_are_listed_once_and_tokens_are_not() -> None:
    async def scenario(client: Client) -> None:
        names = [asset["name"] for asset in (await client.info(type="meta"))["universe"]]
        assert names == [spec.symbol for spec in PERPS]

    run(scenario)


def test_a_deposit_with_once_is_made_once() -> None:
    async def scenario(client: Client) -> None:
        for _ in range(2):
            await client.control("POST", "/deposit", {"address": ADDRESS, "usdc": "250", "once": True})
            await client.control("POST", "/deposit", {"address": str(WALLET), "sol": 2, "once": True})
        kinds = [line["kind"] for line in await client.control("GET", "/tape")]
        assert (kinds.count("deposit"), kinds.count("funded")) == (1, 1)

    run(scenario)


def test_deposits_are_booked_and_on_the_tape() -> None:
    async def scenario(client: Client) -> None:
        await client.control("POST", "/deposit", {"address": ADDRESS, "usdc": "2500.5"})
        state = await client.info(type="clearinghouseState", user=ADDRESS)
        assert state["marginSummary"]["accountValue"] == "2500.5"
        await client.control("POST", "/deposit", {"address": str(WALLET), "sol": 2, "tokens": {"USDC": 7_000_000}})
        async with AsyncClient(client.endpoints.solana) as rpc:
            assert (await rpc.get_balance(WALLET)).value == 2 * 10**9
        deposits = await client.control("GET", "/tape?kind=deposit")
        assert [line["data"]["usdc"] for line in deposits] == ["2500.5"]
        assert [line["kind"] for line in await client.control("GET", "/tape?venue=solana")] == ["genesis", "funded"]
        after = deposits[-1]["number"]
        assert all(line["number"] > after for line in await client.control("GET", f"/tape?after={after}"))

    run(scenario)


def test_the_clock_is_stepped() -> None:
    async def scenario(client: Client) -> None:
        assert await client.control("GET", "/clock") == {"now": START, "stepped": True}
        assert (await client.control("POST", "/clock/step", {"milliseconds": 1500}))["now"] == START + 1500
        assert "error" in await client.control("POST", "/clock/step", {"milliseconds": -1}, status=400)

    run(scenario)


def test_faults_are_added_cleared_and_in_the_journal() -> None:
    async def scenario(client: Client) -> None:
        await client.control("POST", "/faults", {"route": "hyperliquid/info/*", "kind": "refuse", "times": 2})
        with pytest.raises(aiohttp.ClientError):
            await client.info(type="meta")
        await client.control("DELETE", "/faults")
        assert "universe" in await client.info(type="meta")
        journal = await client.control("GET", "/journal")
        assert [(line["route"], line["kind"]) for line in journal] == [("hyperliquid/info/meta", "refuse")]
        wrongs: tuple[object, ...] = ({"route": "x", "kind": "explode"}, {"kind": "refuse"}, [], None)
        for wrong in wrongs:
            assert "error" in await client.control("POST", "/faults", wrong, status=400)

    run(scenario)


def test_fault_rules_can_be_given_at_the_start() -> None:
    async def scenario(client: Client) -> None:
        async with AsyncClient(client.endpoints.solana) as rpc:
            with pytest.raises(Exception, match=r"503|HTTP"):
                await rpc.get_slot()
            assert (await rpc.get_slot()).value > 0

    run(scenario, rules=[Rule(route="solana/rpc/getSlot", kind=FaultKind.STATUS, value=503)])


@pytest.mark.parametrize("wrong", [{"address": "nonsense", "sol": 1}, {"address": ADDRESS, "usdc": "x"}, {"usdc": "1"}])
def test_an_invalid_deposit_is_refused(wrong: dict[str, object]) -> None:
    async def scenario(client: Client) -> None:
        assert "error" in await client.control("POST", "/deposit", wrong, status=400)

    run(scenario)


def test_a_running_clock_cannot_be_stepped() -> None:
    async def serve() -> None:
        world = World(RunningClock(START, speed=100))
        endpoints = await world.start()
        try:
            async with aiohttp.ClientSession() as http:
                client = Client(world, endpoints, http)
                assert (
                    "--stepped"
                    in (await client.control("POST", "/clock/step", {"milliseconds": 1}, status=400))["error"]
                )
                assert (await client.control("GET", "/clock"))["now"] > START
        finally:
            await world.stop()

    asyncio.run(serve())


def test_the_same_seed_and_commands_give_the_same_tape() -> None:
    async def scenario(client: Client) -> None:
        await client.control("POST", "/deposit", {"address": ADDRESS, "usdc": "100"})
        await client.control("POST", "/deposit", {"address": str(WALLET), "sol": 1})
        async with AsyncClient(client.endpoints.solana) as rpc:
            await rpc.request_airdrop(WALLET, 10**9)
        for _ in range(5):
            await client.control("POST", "/clock/step", {"milliseconds": 3_600_000})

    one, other = bytes(run(scenario).tape), bytes(run(scenario).tape)
    assert one == other
    assert one.count(b"\n") >= 4
