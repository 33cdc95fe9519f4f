"""Serves a simulated chain for tests, with real clients and a stepped clock."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, NamedTuple

import aiohttp
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed, Processed
from solana.rpc.models import TxOpts
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from strandline_sim.clock import SteppedClock
from strandline_sim.faults import Faults, Rule
from strandline_sim.solana import DEFAULT_TOKENS, Plans, SolanaVenue, Token
from strandline_sim.solana.token_accounts import TOKEN_2022_PROGRAM, TransferFee
from strandline_sim.tape import Tape

START = 1_760_000_000_000
BLOCK = 400
USDC = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
SOL = "So11111111111111111111111111111111111111112"
BONK = "DezXAZ8z7PnrnRJjz3wXBoRgixCa6xjnB7YaB1pPB263"
PYUSD = "2b1kV6DkPAnxd5ixfnxCpjxmKwqjjaYmCZfHsFu24GXo"
FEE_TOKEN = Token(
    *("FEE", "Transfer fee", Pubkey.from_bytes(b"fees" * 8), 9, "JUP", 3_000_000, 10, TOKEN_2022_PROGRAM),
    TransferFee(bps=100, most=10**12),
)
UNPRICED = Token("NONE", "Unpriced", Pubkey.from_bytes(b"none" * 8), 6, "NONE")
TOKENS = (*DEFAULT_TOKENS, FEE_TOKEN, UNPRICED)
UNLIMITED = Plans({"right": None, "slow": 1.0}, keyless=None)


class AdjustablePrices:
    """Prices that a test can change; they vary a little with time so that blocks differ."""

    def __init__(self) -> None:
        self.prices = {"SOL": Decimal(150), "JUP": Decimal("0.5"), "BONK": Decimal("0.00002"), "WIF": Decimal("1.2")}

    def price(self, symbol: str, at: int) -> Decimal:
        """Return the price; raise KeyError for an unknown symbol."""
        return self.prices[symbol] * (1 + Decimal((at - START) // BLOCK % 7) / 100_000)


class Simulation(NamedTuple):
    """The venue and its clients."""

    venue: SolanaVenue
    market: AdjustablePrices
    clock: SteppedClock
    tape: Tape
    faults: Faults
    rpc_url: str
    rpc: AsyncClient
    http: aiohttp.ClientSession
    jupiter_url: str

    async def blocks(self, number: int = 1) -> None:
        """Advance the clock by this number of blocks."""
        await self.clock.step(number * BLOCK)

    async def get(self, path: str, **query: str) -> Any:
        """GET from Jupiter."""
        return await self.get_refused(path, 200, **query)

    async def get_refused(self, path: str, status: int, **query: str) -> Any:
        """GET from Jupiter, and check the status."""
        async with self.http.get(self.jupiter_url + path, params=query) as answer:
            assert answer.status == status, await answer.text()
            return await answer.json()

    async def post(self, path: str, body: Any, status: int = 200) -> Any:
        """POST to Jupiter, and check the status."""
        async with self.http.post(self.jupiter_url + path, json=body) as answer:
            assert answer.status == status, await answer.text()
            return await answer.json()

    async def call(self, method: str, *params: Any) -> Any:
        """Call JSON-RPC without a client library; return the whole response."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        async with self.http.post(self.rpc_url, json=body) as answer:
            return await answer.json()

    async def quote(self, mint_in: str, mint_out: str, amount: int, slippage: int = 50) -> Any:
        """Get a quote."""
        query = {"inputMint": mint_in, "outputMint": mint_out, "amount": str(amount), "slippageBps": str(slippage)}
        return await self.get("/swap/v2/quote", **query)

    async def swap(self, quote: Any, key: Keypair, **options: Any) -> tuple[VersionedTransaction, int]:
        """Get and sign the transaction of a quote; return it with its last valid block height."""
        body = {"quoteResponse": quote, "taker": str(key.pubkey()), **options}
        answer = await self.post("/swap/v2/swap", body)
        return signed(answer["swapTransaction"], key), answer["lastValidBlockHeight"]

    async def send(self, transaction: VersionedTransaction, **options: Any) -> Signature:
        """Send a transaction, with preflight at processed."""
        opts = TxOpts(**{"preflight_commitment": Processed, **options})
        return (await self.rpc.send_raw_transaction(bytes(transaction), opts=opts)).value

    async def pay(self, key: Keypair, to: Pubkey, lamports: int) -> VersionedTransaction:
        """Make a signed transfer on the newest blockhash."""
        blockhash = (await self.rpc.get_latest_blockhash(Processed)).value.blockhash
        move = transfer(TransferParams(from_pubkey=key.pubkey(), to_pubkey=to, lamports=lamports))
        return VersionedTransaction(MessageV0.try_compile(key.pubkey(), [move], [], blockhash), [key])

    async def compose(self, key: Keypair, instructions: Sequence[Instruction]) -> VersionedTransaction:
        """Make a signed transaction on the newest blockhash."""
        blockhash = (await self.rpc.get_latest_blockhash(Processed)).value.blockhash
        return VersionedTransaction(MessageV0.try_compile(key.pubkey(), list(instructions), [], blockhash), [key])

    async def status(self, signature: Signature) -> Any:
        """Get the status of a transaction."""
        return (await self.rpc.get_signature_statuses([signature])).value[0]

    async def transaction(self, signature: Signature) -> Any:
        """Get a confirmed transaction."""
        answer = await self.rpc.get_transaction(signature, commitment=Confirmed, max_supported_transaction_version=0)
        return answer.value

    def kinds(self) -> list[str]:
        """Return the kinds of the tape's entries, without genesis and funding."""
        return [entry.kind for entry in self.tape.entries() if entry.kind not in {"genesis", "funded"}]

    def wallet(self, number: int = 1, *, sol: float = 10, **tokens: int) -> Keypair:
        """Make and fund a wallet, the same in every run."""
        key = Keypair.from_seed(bytes([number]) * 32)
        self.venue.fund(key.pubkey(), sol=sol, tokens=tokens)
        return key


def signed(text: str, key: Keypair) -> VersionedTransaction:
    """Sign a base64 transaction from Jupiter, whose only signer must be this wallet."""
    transaction = VersionedTransaction.from_bytes(base64.b64decode(text))
    message = transaction.message
    assert message.header.num_required_signatures == 1
    assert message.account_keys[0] == key.pubkey()
    return VersionedTransaction.populate(message, [key.sign_message(to_bytes_versioned(message))])


@asynccontextmanager
async def open_simulation(
    *rules: Rule, plans: Plans = UNLIMITED, skip_every: int | None = None
) -> AsyncIterator[Simulation]:
    """Serve a simulation within the block."""
    market, clock, tape, faults = AdjustablePrices(), SteppedClock(START), Tape(), Faults(rules)
    venue = SolanaVenue(market, clock, tape, faults, TOKENS, skip_every=skip_every, plans=plans)
    addresses = await venue.start()
    try:
        async with AsyncClient(addresses.rpc) as rpc, aiohttp.ClientSession() as http:
            yield Simulation(venue, market, clock, tape, faults, addresses.rpc, rpc, http, addresses.jupiter)
    finally:
        await venue.stop()


def run(scenario: Callable[[Simulation], Awaitable[None]], *rules: Rule, **options: Any) -> None:
    """Run a scenario on a new simulation."""

    async def serve() -> None:
        async with open_simulation(*rules, **options) as sim:
            await scenario(sim)

    asyncio.run(serve())


def deltas(transaction: Any, owner: Pubkey) -> dict[str, int]:
    """Compute the owner's changes by mint from the token balances of a transaction."""
    meta, moved = transaction.transaction.meta, dict[str, int]()
    for sign, balances in ((-1, meta.pre_token_balances), (1, meta.post_token_balances)):
        for balance in balances:
            if balance.owner == owner:
                mint = str(balance.mint)
                moved[mint] = moved.get(mint, 0) + sign * int(balance.ui_token_amount.amount)
    return moved
