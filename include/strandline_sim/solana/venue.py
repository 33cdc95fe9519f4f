"""The simulated Solana with Jupiter, served over their real protocols."""

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
from strandline_sim.solana.genesis import Deposit, Genesis, merged
from strandline_sim.solana.jupiter_request import Jupiter
from strandline_sim.solana.jupiter_server import jupiter_app
from strandline_sim.solana.machine import Machine
from strandline_sim.solana.pools import Pools
from strandline_sim.solana.rate_limit import Plans
from strandline_sim.solana.rpc_call import INVALID_PARAMS, Call, Node, RpcError
from strandline_sim.solana.rpc_server import rpc_app
from strandline_sim.solana.tokens import DEFAULT_TOKENS, Prices, Token
from strandline_sim.tape import Tape
from strandline_sim.web import runner_of

LAMPORTS: Final = 10**9
_POOL_LAMPORTS: Final = 10**9
_MAX_AIRDROP: Final = 100 * LAMPORTS


class Addresses(NamedTuple):
    """The URLs of the servers."""

    rpc: str
    jupiter: str


class SolanaVenue:
    """A chain, its node and Jupiter.

    The routes of faults are `solana/rpc/<method>` (besides those of every server: `lag` hides statuses and
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
        self._record_fund = command_log.register("fund", self._fund)
        self._note_deposit("genesis", self._genesis.create(self.tokens, self.pools))

    def fund(self, address: Pubkey, sol: float = 0, tokens: Mapping[str, int] | None = None) -> None:
        """Fund a wallet, at every commitment; `tokens` are raw units by symbol, `SOL` is wrapped SOL."""
        self._record_fund({"address": str(address), "lamports": round(sol * LAMPORTS), "tokens": dict(tokens or {})})

    def rpc_app(self) -> web.Application:
        """Make the application of JSON-RPC."""
        return rpc_app(Node(self.chain, self._clock, self._faults), self._airdrop)

    def jupiter_app(self) -> web.Application:
        """Make the application of Jupiter's APIs."""
        jupiter = Jupiter(self.chain, self.pools, self._clock, self._faults)
        return jupiter_app(jupiter, self._plans)

    async def start(self, host: str = "127.0.0.1", rpc_port: int = 0, jupiter_port: int = 0) -> Addresses:
        """Start the servers; port 0 is any free one."""
        rpc = await self._serve(self.rpc_app(), host, rpc_port)
        jupiter = await self._serve(self.jupiter_app(), host, jupiter_port)
        return Addresses(f"http://{host}:{rpc}", f"http://{host}:{jupiter}")

    async def stop(self) -> None:
        """Stop the servers."""
        for waker in self._wakers:
            waker.cancel()
        await asyncio.gather(*self._wakers, return_exceptions=True)
        for runner in self._runners:
            await runner.cleanup()
        self._runners.clear()

    async def _serve(self, app: web.Application, host: str, port: int) -> int:
        runner = runner_of(app)
        await runner.setup()
        site = web.TCPSite(runner, host, port)
        await site.start()
        self._runners.append(runner)
        return int(runner.addresses[0][1])

    def _airdrop(self, call: Call) -> str:
        lamports = int(call.param(1))
        if not 0 < lamports <= _MAX_AIRDROP:
            raise RpcError(INVALID_PARAMS, f"Invalid request: airdrop at most {_MAX_AIRDROP} lamports")
        faucet = self._genesis.faucet
        move = transfer(TransferParams(from_pubkey=faucet.pubkey(), to_pubkey=call.address(0), lamports=lamports))
        message = MessageV0.try_compile(faucet.pubkey(), [move], [], self.chain.blocks.hash_of(call.newest))
        return self.chain.receive(VersionedTransaction(message, [faucet]))

    def _fund(self, command: dict[str, Any]) -> None:
        self.chain.sync()
        address, lamports = Pubkey.from_string(command["address"]), command["lamports"]
        deposits = [self._genesis.deposit_lamports(address, lamports)] if lamports else []
        for symbol, amount in command["tokens"].items():
            deposits.append(self._genesis.deposit_tokens(address, self._by_symbol[symbol], amount))
        self._note_deposit("funded", merged(deposits))

    def _note_deposit(self, kind: str, deposit: Deposit) -> None:
        self.chain.note(kind, {"lamports": deposit.lamports, "tokens": deposit.tokens})

    def _wake_at(self, instant: int) -> None:
        """Schedule a sync at this instant, so that events are executed without a request."""
        try:
            waker = asyncio.get_running_loop().create_task(self._sync_at(instant))
        except RuntimeError:
            return  # without an event loop the next request syncs
        self._wakers.add(waker)
        waker.add_done_callback(self._wakers.discard)

    async def _sync_at(self, instant: int) -> None:
        await self._clock.wait_until(instant)
        self.chain.sync()
