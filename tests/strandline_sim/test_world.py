"""The whole box: both venues on one market and one clock, and the control port."""

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


class Visit:
    """The box, and how to talk to it."""

    def __init__(self, world: World, at: Endpoints, http: aiohttp.ClientSession) -> None:
        self.world = world
        self.at = at
        self._http = http

    async def control(self, method: str, path: str, body: object = None, status: int = 200) -> Any:
        """Ask the control port; JSON, or the lines of the tape."""
        async with self._http.request(method, self.at.control + path, json=body) as answer:
            assert answer.status == status, await answer.text()
            if answer.content_type == "application/jsonl":
                return [json.loads(line) for line in (await answer.text()).splitlines()]
            return await answer.json()

    async def info(self, **request: object) -> Any:
        """Ask Hyperliquid."""
        async with self._http.post(f"{self.at.hyperliquid}/info", json=request) as answer:
            return await answer.json()

    async def jupiter(self, path: str, **query: str) -> Any:
        """Ask Jupiter."""
        async with self._http.get(self.at.jupiter + path, params=query) as answer:
            return await answer.json()


def visit(story: Callable[[Visit], Awaitable[None]], **options: Any) -> World:
    """Open the box, tell the story, close it."""

    async def tell() -> World:
        world = World(SteppedClock(START), seed=5, limited=False, real_time=False, **options)
        endpoints = await world.start()
        try:
            async with aiohttp.ClientSession() as http:
                await story(Visit(world, endpoints, http))
        finally:
            await world.stop()
        return world

    return asyncio.run(tell())


def test_both_venues_tell_the_same_price() -> None:
    async def story(box: Visit) -> None:
        for _ in range(3):
            await box.control("POST", "/clock/step", {"milliseconds": 600_000})
            perp = Decimal((await box.info(type="allMids"))["SOL"])
            token = Decimal(str((await box.jupiter("/price/v3", ids=SOL))[SOL]["usdPrice"]))
            assert abs(perp / token - 1) < Decimal("0.01")

    visit(story)


def test_every_symbol_is_listed_once_and_tokens_are_no_perps() -> None:
    async def story(box: Visit) -> None:
        names = [asset["name"] for asset in (await box.info(type="meta"))["universe"]]
        assert names == [spec.symbol for spec in PERPS]

    visit(story)


def test_a_gift_that_is_given_once_is_not_given_again() -> None:
    async def story(box: Visit) -> None:
        for _ in range(2):
            await box.control("POST", "/deposit", {"address": ADDRESS, "usdc": "250", "once": True})
            await box.control("POST", "/deposit", {"address": str(WALLET), "sol": 2, "once": True})
        kinds = [line["kind"] for line in await box.control("GET", "/tape")]
        assert (kinds.count("deposit"), kinds.count("funded")) == (1, 1)

    visit(story)


def test_deposits_arrive_and_are_on_the_tape() -> None:
    async def story(box: Visit) -> None:
        await box.control("POST", "/deposit", {"address": ADDRESS, "usdc": "2500.5"})
        state = await box.info(type="clearinghouseState", user=ADDRESS)
        assert state["marginSummary"]["accountValue"] == "2500.5"
        await box.control("POST", "/deposit", {"address": str(WALLET), "sol": 2, "tokens": {"USDC": 7_000_000}})
        async with AsyncClient(box.at.solana) as rpc:
            assert (await rpc.get_balance(WALLET)).value == 2 * 10**9
        deposits = await box.control("GET", "/tape?kind=deposit")
        assert [line["data"]["usdc"] for line in deposits] == ["2500.5"]
        assert [line["kind"] for line in await box.control("GET", "/tape?venue=solana")] == ["genesis", "funded"]
        after = deposits[-1]["number"]
        assert all(line["number"] > after for line in await box.control("GET", f"/tape?after={after}"))

    visit(story)


def test_the_clock_is_in_the_tests_hand() -> None:
    async def story(box: Visit) -> None:
        assert await box.control("GET", "/clock") == {"now": START, "stepped": True}
        assert (await box.control("POST", "/clock/step", {"milliseconds": 1500}))["now"] == START + 1500
        assert "error" in await box.control("POST", "/clock/step", {"milliseconds": -1}, status=400)

    visit(story)


def test_faults_are_ordered_lifted_and_told() -> None:
    async def story(box: Visit) -> None:
        await box.control("POST", "/faults", {"route": "hyperliquid/info/*", "kind": "refuse", "times": 2})
        with pytest.raises(aiohttp.ClientError):
            await box.info(type="meta")
        await box.control("DELETE", "/faults")
        assert "universe" in await box.info(type="meta")
        journal = await box.control("GET", "/journal")
        assert [(line["route"], line["kind"]) for line in journal] == [("hyperliquid/info/meta", "refuse")]
        wrongs: tuple[object, ...] = ({"route": "x", "kind": "explode"}, {"kind": "refuse"}, [], None)
        for wrong in wrongs:
            assert "error" in await box.control("POST", "/faults", wrong, status=400)

    visit(story)


def test_a_fault_may_be_there_from_the_start() -> None:
    async def story(box: Visit) -> None:
        async with AsyncClient(box.at.solana) as rpc:
            with pytest.raises(Exception, match=r"503|HTTP"):
                await rpc.get_slot()
            assert (await rpc.get_slot()).value > 0

    visit(story, rules=[Rule(route="solana/rpc/getSlot", kind=FaultKind.STATUS, value=503)])


@pytest.mark.parametrize("wrong", [{"address": "nonsense", "sol": 1}, {"address": ADDRESS, "usdc": "x"}, {"usdc": "1"}])
def test_a_deposit_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    async def story(box: Visit) -> None:
        assert "error" in await box.control("POST", "/deposit", wrong, status=400)

    visit(story)


def test_a_clock_that_runs_cannot_be_stepped() -> None:
    async def tell() -> None:
        world = World(RunningClock(START, speed=100))
        endpoints = await world.start()
        try:
            async with aiohttp.ClientSession() as http:
                box = Visit(world, endpoints, http)
                assert (
                    "--stepped" in (await box.control("POST", "/clock/step", {"milliseconds": 1}, status=400))["error"]
                )
                assert (await box.control("GET", "/clock"))["now"] > START
        finally:
            await world.stop()

    asyncio.run(tell())


def test_the_same_seed_and_commands_give_the_same_tape_byte_for_byte() -> None:
    async def story(box: Visit) -> None:
        await box.control("POST", "/deposit", {"address": ADDRESS, "usdc": "100"})
        await box.control("POST", "/deposit", {"address": str(WALLET), "sol": 1})
        async with AsyncClient(box.at.solana) as rpc:
            await rpc.request_airdrop(WALLET, 10**9)
        for _ in range(5):
            await box.control("POST", "/clock/step", {"milliseconds": 3_600_000})

    one, other = bytes(visit(story).tape), bytes(visit(story).tape)
    assert one == other
    assert one.count(b"\n") >= 4
