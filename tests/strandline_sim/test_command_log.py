"""A simulation is restored from its recorded commands, whatever ended it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import eth_account
import pytest
from hyperliquid.exchange import Exchange  # type: ignore[import-untyped]
from solders.keypair import Keypair

from strandline_sim.clock import RunningClock
from strandline_sim.command_log import read_commands, restore
from strandline_sim.world import World

START = 1_790_000_000_000
ACCOUNT = eth_account.Account.from_key("0x" + "22" * 32)
WALLET = Keypair.from_seed(b"c" * 32).pubkey()
OPTIONS = {"seed": 5}


@contextmanager
def restored(path: Path, at: int = START) -> Iterator[World]:
    """Restore the simulation of this file at this time; nothing is closed at the end, as after a kill."""
    path.touch()
    with path.open("r+b") as file:
        clock = RunningClock(at)
        world, commands = restore(
            file, clock, OPTIONS, lambda: World(clock, seed=5, real_time=False, limited=False, command_file=file)
        )
        world.command_log.replay(commands)
        yield world


def trade(world: World, *sides: bool) -> None:
    """Trade with the official SDK, so that real signatures and nonces are in the file."""

    async def serve() -> None:
        endpoints = await world.start()
        try:
            await asyncio.to_thread(_orders, endpoints.hyperliquid, sides)
        finally:
            await world.stop()

    asyncio.run(serve())


def _orders(url: str, sides: tuple[bool, ...]) -> None:
    exchange = Exchange(ACCOUNT, url, timeout=10)
    for is_buy in sides:
        answer = exchange.market_open("ETH", is_buy, 0.05)
        assert "filled" in answer["response"]["data"]["statuses"][0], answer


def test_a_killed_simulation_is_restored(tmp_path: Path) -> None:
    path = tmp_path / "state.jsonl"
    with restored(path) as first:
        first.hyperliquid.deposit(ACCOUNT.address, Decimal(5000))
        first.solana.fund(WALLET, sol=1.5, tokens={"USDC": 7_000_000})
        with pytest.raises(ValueError, match="a deposit is above zero"):
            first.hyperliquid.deposit(ACCOUNT.address, Decimal(-1))
        trade(first, True, True, False)
        was = bytes(first.tape)
    with restored(path, START + 60_000) as again:
        assert bytes(again.tape) == was
        trade(again, False)
        then = bytes(again.tape)
    with restored(path, START + 120_000) as last:
        assert bytes(last.tape) == then != was


def test_an_unfinished_command_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "state.jsonl"
    with restored(path) as first:
        first.hyperliquid.deposit(ACCOUNT.address, Decimal(5000))
        was = bytes(first.tape)
    whole = path.read_bytes()
    path.write_bytes(whole + whole.splitlines()[-1][:40])
    with restored(path, START + 1) as again:
        assert bytes(again.tape) == was
        again.hyperliquid.deposit(ACCOUNT.address, Decimal(1))
    with path.open("r+b") as file:
        assert [command.kind for command in read_commands(file)] == ["genesis", "deposit", "deposit"]


def test_a_file_that_replays_differently_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.jsonl"
    with restored(path) as first:
        first.hyperliquid.deposit(ACCOUNT.address, Decimal(5000))
        first.hyperliquid.deposit(ACCOUNT.address, Decimal(1))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], lines[2]]))
    with pytest.raises(ValueError, match="another version wrote it"), restored(path, START + 1):
        pass


def test_a_file_of_other_options_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.jsonl"
    with restored(path):
        pass
    with path.open("r+b") as file, pytest.raises(ValueError, match="it was started with"):
        restore(file, RunningClock(START), {"seed": 6}, lambda: None)
