"""A Solana cluster with Jupiter on it, behind the real protocols."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from aiohttp import web
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from strandline_sim.clock import Clock
from strandline_sim.command_log import CommandLog
from strandline_sim.faults import Faults
from strandline_sim.solana.accounts import Accounts
from strandline_sim.solana.blocks import Blocks
from strandline_sim.solana.chain import Chain
from strandline_sim.solana.genesis import Genesis, Gift, merged
from strandline_sim.solana.jupiter_request import Jupiter
from strandline_sim.solana.jupiter_server import jupiter_app
from strandline_sim.solana.machine import Machine
from strandline_sim.solana.pools import Pools
from strandline_sim.solana.rate_limit import Plans
from strandline_sim.solana.rpc_call import INVALID_PARAMS, Call, Node, RpcError
from strandline_sim.solana.rpc_server import rpc_app
from strandline_sim.solana.tokens import DEFAULT_TOKENS, Prices, Token
from strandline_sim.tape import Tape

LAMPORTS: Final = 10**9
_POOL_LAMPORTS: Final = 10**9
_MOST_AIRDROP: Final = 100 * LAMPORTS


class Addresses(NamedTuple):
    """Where it listens."""

    rpc: str
    jupiter: str


class SolanaVenue:
    """`start` serves it; `fund` gives wallets something to trade with.

    Faults are asked for on the routes `solana/rpc/<method>` (besides those of every server: `lag` hides statuses and
    transactions, `node_behind`, `clock_skew`), `solana/jupiter/<quote|swap|price|tokens|…>` (`lag`: quotes of
    `value` ms ago) and `solana/landing` (see `chain`).
    """

    def __init__(
        self,
        market: Prices,
        clock: Clock,
        tape: Tape,
        faults: Faults,
        tokens: Iterable[Token] = DEFAULT_TOKENS,
        *,
        seed: int = 0,
        skip_every: int | None = None,
        plans: Plans | None = None,
        command_log: CommandLog | None = None,
    ) -> None:
        command_log = command_log or CommandLog(clock)
        self._plans = plans or Plans()
        self.tokens = tuple(tokens)
        self._by_symbol = {token.symbol: token for token in self.tokens}
        self._clock = clock
        self._faults = faults
        self._runners: list[web.AppRunner] = []
        self._wakers: set[asyncio.Task[None]] = set()
        machine = Machine()
        self.accounts = Accounts(machine.svm)
        self.pools = Pools(self.tokens, market, self.accounts, _POOL_LAMPORTS)
        blocks = Blocks(clock.now(), seed, skip_every)
        self.chain = Chain(clock, tape, faults, machine, self.accounts, blocks, self.pools, self._wake_at, command_log)
        self._genesis = Genesis(machine, self.accounts, seed)
        self._give = command_log.register("fund", self._fund)
        self._given("genesis", self._genesis.found(self.tokens, self.pools))

    def fund(self, address: Pubkey, sol: float = 0, tokens: Mapping[str, int] | None = None) -> None:
        """Give a wallet SOL, and tokens by symbol in raw units (`SOL` is wrapped SOL); seen at every commitment."""
        self._give({"address": str(address), "lamports": round(sol * LAMPORTS), "tokens": dict(tokens or {})})

    def rpc_app(self) -> web.Application:
        """JSON-RPC on `/`."""
        return rpc_app(Node(self.chain, self._clock, self._faults), self._airdrop)

    def jupiter_app(self) -> web.Application:
        """Jupiter's APIs, under the paths that they have."""
        jupiter = Jupiter(self.chain, self.pools, self._clock, self._faults)
        return jupiter_app(jupiter, self._plans)

    async def start(self, host: str = "127.0.0.1", rpc_port: int = 0, jupiter_port: int = 0) -> Addresses:
        """Listen; port 0 is any free one."""
        rpc = await self._serve(self.rpc_app(), host, rpc_port)
        jupiter = await self._serve(self.jupiter_app(), host, jupiter_port)
        return Addresses(f"http://{host}:{rpc}", f"http://{host}:{jupiter}")

    async def stop(self) -> None:
        """Close all sockets."""
        for waker in self._wakers:
            waker.cancel()
        await asyncio.gather(*self._wakers, return_exceptions=True)
        for runner in self._runners:
            await runner.cleanup()
        self._runners.clear()

    async def _serve(self, app: web.Application, host: str, port: int) -> int:
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, host, port)
        await site.start()
        self._runners.append(runner)
        return int(runner.addresses[0][1])

    def _airdrop(self, call: Call) -> str:
        lamports = int(call.param(1))
        if not 0 < lamports <= _MOST_AIRDROP:
            raise RpcError(INVALID_PARAMS, f"Invalid request: airdrop at most {_MOST_AIRDROP} lamports")
        faucet = self._genesis.faucet
        move = transfer(TransferParams(from_pubkey=faucet.pubkey(), to_pubkey=call.address(0), lamports=lamports))
        message = MessageV0.try_compile(faucet.pubkey(), [move], [], self.chain.blocks.hash_of(call.newest))
        return self.chain.receive(VersionedTransaction(message, [faucet]))

    def _fund(self, command: dict[str, Any]) -> None:
        self.chain.sync()
        address, lamports = Pubkey.from_string(command["address"]), command["lamports"]
        gifts = [self._genesis.give_lamports(address, lamports)] if lamports else []
        for symbol, amount in command["tokens"].items():
            gifts.append(self._genesis.give_tokens(address, self._by_symbol[symbol], amount))
        self._given("funded", merged(gifts))

    def _given(self, kind: str, gift: Gift) -> None:
        self.chain.note(kind, {"lamports": gift.lamports, "tokens": gift.tokens})

    def _wake_at(self, instant: int) -> None:
        """Things that are due happen when they are due, not only when somebody asks."""
        try:
            waker = asyncio.get_running_loop().create_task(self._sync_at(instant))
        except RuntimeError:
            return  # used without a loop: they happen when somebody asks
        self._wakers.add(waker)
        waker.add_done_callback(self._wakers.discard)

    async def _sync_at(self, instant: int) -> None:
        await self._clock.wait_until(instant)
        self.chain.sync()
