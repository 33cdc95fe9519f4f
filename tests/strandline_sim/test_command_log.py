"""A simulation is restored from its recorded commands, whatever ended it."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

import eth_account
import pytest
from hyperliquid.exchange import Exchange  # type: ignore[import-untyped]
from hyperliquid.utils.signing import sign_l1_action  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from strandline_sim.clock import RunningClock
from strandline_sim.command_log import read_commands, restore
from strandline_sim.faults import FaultKind, Rule
from strandline_sim.world import World
from tests.strandline_sim.set_clock import SetClock

START = 1_790_000_000_000
ACCOUNT = eth_account.Account.from_key("0x" + "22" * 32)
KEY = Keypair.from_seed(b"c" * 32)
WALLET = KEY.pubkey()
RECIPIENT = Keypair.from_seed(b"d" * 32).pubkey()
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


class Run:
    """Does the same things at the same times; a kill leaves the file and nothing else."""

    def __init__(self, path: Path, *, kills: bool) -> None:
        self._path = path
        self._kills = kills
        self._file: BinaryIO | None = None
        self._now = START
        self._nonce = START
        self.answers: list[object] = []
        self._open()

    def _open(self) -> None:
        self._path.touch()
        self._file = self._path.open("r+b")
        self.clock = SetClock(self._now)
        self.world, commands = restore(self._file, self.clock, OPTIONS, self._world)
        self.world.command_log.replay(commands)

    def _world(self) -> World:
        return World(
            self.clock, seed=5, real_time=False, limited=False, command_file=self._file, starting_usdc=Decimal(900)
        )

    def close(self) -> None:
        assert self._file is not None
        self._file.close()

    def do(self, step: tuple[Any, ...]) -> None:
        name, *arguments = step
        try:
            answer = getattr(self, name)(*arguments)
        except Exception as error:
            answer = repr(error)
        self.answers.append(answer)

    def wait(self, milliseconds: int) -> None:
        self._now = self.clock.time = self._now + milliseconds
        self.world.sync()

    def kill(self, half: bytes) -> None:
        """Half of the next command may have been written."""
        if self._kills:
            self.close()
            with self._path.open("ab") as file:
                file.write(half)
            self._open()

    def deposit(self, usdc: str) -> None:
        self.world.hyperliquid.deposit(ACCOUNT.address, Decimal(usdc))

    def fund(self, sol: float, tokens: dict[str, int]) -> None:
        self.world.solana.fund(WALLET, sol, tokens)

    def info(self, user: str) -> object:
        body = f'{{"type":"clearinghouseState","user":"{user}"}}'.encode()
        return asyncio.run(self.world.hyperliquid.rest.info(body, "here"))

    def body(self, body: bytes) -> object:
        return self.world.hyperliquid.rest.exchange(body, "here")

    def action(self, action: dict[str, Any]) -> object:
        self._nonce += 1
        signature = sign_l1_action(ACCOUNT, action, None, self._nonce, None, False)
        return self.body(json.dumps({"action": action, "nonce": self._nonce, "signature": signature}).encode())

    def send(self, lamports: int, fault: FaultKind | None, milliseconds: int) -> object:
        chain = self.world.solana.chain
        move = transfer(TransferParams(from_pubkey=WALLET, to_pubkey=RECIPIENT, lamports=lamports))
        blockhash = chain.blocks.hash_of(chain.sync())
        transaction = VersionedTransaction(MessageV0.try_compile(WALLET, [move], [], blockhash), [KEY])
        if fault is not None:
            self.world.faults.add(Rule(route="solana/landing", kind=fault, value=milliseconds))
        signature = chain.receive(transaction)
        self.world.faults.clear()
        return signature


def order(**changes: Any) -> dict[str, Any]:
    fields = {"a": 1, "b": True, "p": "3300", "s": "0.1", "r": False, "t": {"limit": {"tif": "Gtc"}}, **changes}
    return {"type": "order", "orders": [fields], "grouping": "na"}


steps = st.one_of(
    st.tuples(st.just("wait"), st.sampled_from((1, 300, 2_000, 61_000))),
    st.tuples(st.just("kill"), st.sampled_from((b"", b"{", b'{"at":1790000000000,"data":{"bo'))),
    st.tuples(st.just("deposit"), st.sampled_from(("100", "0", "-5", "NaN", "1e400", "0.0000001"))),
    st.tuples(st.just("fund"), st.sampled_from((0.0, 2.0, -1.0)), st.sampled_from(({}, {"USDC": 5}, {"NONE": 1}))),
    st.tuples(st.just("info"), st.sampled_from((ACCOUNT.address, "0x" + "cd" * 20, "nobody"))),
    st.tuples(st.just("body"), st.sampled_from((b"", b"[", b'{"action":{"type":"noop"},"nonce":1,"signature":{}}'))),
    st.tuples(
        st.just("action"),
        st.sampled_from(
            (
                order(), order(b=False, p="2500"), order(s="1000"), order(p="3000.123"), order(a=999),
                {"type": "noop"}, {"type": "noop", "number": 2**70}, {"type": "cancel", "cancels": [{"a": 1, "o": 5}]},
                {"type": "updateLeverage", "asset": 1, "isCross": False, "leverage": 3},
                {"type": "updateIsolatedMargin", "asset": 1, "isBuy": True, "ntli": 2**62},
            )
        ),
    ),
    st.tuples(
        st.just("send"),
        st.sampled_from((1, 10**9, 10**18)),
        st.sampled_from((None, FaultKind.FORK, FaultKind.DELAY, FaultKind.DROP_REQUEST)),
        st.sampled_from((0, 2_000)),
    ),
)  # fmt: skip


@given(st.lists(steps, min_size=4, max_size=20))
@settings(max_examples=50)
def test_whatever_was_done_and_whenever_it_was_killed_it_goes_on_alike(sequence: list[tuple[Any, ...]]) -> None:
    """Compared with a simulation that was never killed: the tape, and every answer."""
    with TemporaryDirectory() as directory:
        runs = [Run(Path(directory) / f"{kills}.jsonl", kills=kills) for kills in (False, True)]
        for run in runs:
            for step in (("fund", 5.0, {}), ("deposit", "1000"), *sequence, ("kill", b""), ("wait", 1_000)):
                run.do(step)
            run.close()
        undisturbed, killed = runs
        assert killed.answers == undisturbed.answers
        assert bytes(killed.world.tape) == bytes(undisturbed.world.tape)


def test_a_command_that_ends_otherwise_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.jsonl"
    with restored(path) as first:
        first.hyperliquid.deposit(ACCOUNT.address, Decimal(5000))
        with pytest.raises(ValueError, match="a deposit is above zero"):
            first.hyperliquid.deposit(ACCOUNT.address, Decimal(-1))
        first.hyperliquid.deposit(ACCOUNT.address, Decimal(1))
    lines = path.read_bytes().splitlines(keepends=True)
    for changed, problem in (
        ([*lines[:3], *lines[4:]], "command 2 ended with ValueError instead of None"),
        ([*lines[:4], lines[4].replace(b"deposit", b"dance")], "there is no command dance"),
    ):
        path.write_bytes(b"".join(changed))
        with pytest.raises(ValueError, match=problem), restored(path, START + 1):
            pass


def test_the_end_of_a_command_that_was_killed_is_recorded_by_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "state.jsonl"
    with restored(path) as first, pytest.raises(ValueError, match="a deposit is above zero"):
        first.hyperliquid.deposit(ACCOUNT.address, Decimal(-1))
    whole = path.read_bytes()
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:2]))
    with restored(path):
        pass
    assert path.read_bytes() == whole
