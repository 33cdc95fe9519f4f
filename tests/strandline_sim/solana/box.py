"""A chain in a box for tests: real sockets, real clients, a clock that the test steps."""

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
TOLL = Token(
    *("TOLL", "Toll", Pubkey.from_bytes(b"toll" * 8), 9, "JUP", 3_000_000, 10, TOKEN_2022_PROGRAM),
    TransferFee(bps=100, most=10**12),
)
UNPRICED = Token("NONE", "Unpriced", Pubkey.from_bytes(b"none" * 8), 6, "NONE")
TOKENS = (*DEFAULT_TOKENS, TOLL, UNPRICED)
UNLIMITED = Plans({"right": None, "slow": 1.0}, keyless=None)


class TinyMarket:
    """Prices that a test can move; they wobble a little with the time so that blocks differ."""

    def __init__(self) -> None:
        self.prices = {"SOL": Decimal(150), "JUP": Decimal("0.5"), "BONK": Decimal("0.00002"), "WIF": Decimal("1.2")}

    def price(self, symbol: str, at: int) -> Decimal:
        """KeyError for what it does not know."""
        return self.prices[symbol] * (1 + Decimal((at - START) // BLOCK % 7) / 100_000)


class Box(NamedTuple):
    """The venue, and clients of it."""

    venue: SolanaVenue
    market: TinyMarket
    clock: SteppedClock
    tape: Tape
    faults: Faults
    rpc_url: str
    rpc: AsyncClient
    http: aiohttp.ClientSession
    jupiter_url: str

    async def blocks(self, number: int = 1) -> None:
        """So many blocks later."""
        await self.clock.step(number * BLOCK)

    async def get(self, path: str, **query: str) -> Any:
        """From Jupiter."""
        return await self.get_refused(path, 200, **query)

    async def get_refused(self, path: str, status: int, **query: str) -> Any:
        """From Jupiter, expecting this status."""
        async with self.http.get(self.jupiter_url + path, params=query) as answer:
            assert answer.status == status, await answer.text()
            return await answer.json()

    async def post(self, path: str, body: Any, status: int = 200) -> Any:
        """To Jupiter."""
        async with self.http.post(self.jupiter_url + path, json=body) as answer:
            assert answer.status == status, await answer.text()
            return await answer.json()

    async def call(self, method: str, *params: Any) -> Any:
        """JSON-RPC without a client library: the whole answer."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        async with self.http.post(self.rpc_url, json=body) as answer:
            return await answer.json()

    async def quote(self, mint_in: str, mint_out: str, amount: int, slippage: int = 50) -> Any:
        """From Swap V2."""
        query = {"inputMint": mint_in, "outputMint": mint_out, "amount": str(amount), "slippageBps": str(slippage)}
        return await self.get("/swap/v2/quote", **query)

    async def swap(self, quote: Any, key: Keypair, **options: Any) -> tuple[VersionedTransaction, int]:
        """The signed transaction of a quote, and its last valid block height."""
        body = {"quoteResponse": quote, "taker": str(key.pubkey()), **options}
        answer = await self.post("/swap/v2/swap", body)
        return signed(answer["swapTransaction"], key), answer["lastValidBlockHeight"]

    async def send(self, transaction: VersionedTransaction, **options: Any) -> Signature:
        """With preflight at processed."""
        opts = TxOpts(**{"preflight_commitment": Processed, **options})
        return (await self.rpc.send_raw_transaction(bytes(transaction), opts=opts)).value

    async def pay(self, key: Keypair, to: Pubkey, lamports: int) -> VersionedTransaction:
        """A signed transfer on the newest blockhash."""
        blockhash = (await self.rpc.get_latest_blockhash(Processed)).value.blockhash
        move = transfer(TransferParams(from_pubkey=key.pubkey(), to_pubkey=to, lamports=lamports))
        return VersionedTransaction(MessageV0.try_compile(key.pubkey(), [move], [], blockhash), [key])

    async def compose(self, key: Keypair, instructions: Sequence[Instruction]) -> VersionedTransaction:
        """A signed transaction on the newest blockhash."""
        blockhash = (await self.rpc.get_latest_blockhash(Processed)).value.blockhash
        return VersionedTransaction(MessageV0.try_compile(key.pubkey(), list(instructions), [], blockhash), [key])

    async def status(self, signature: Signature) -> Any:
        """What the node says of it."""
        return (await self.rpc.get_signature_statuses([signature])).value[0]

    async def transaction(self, signature: Signature) -> Any:
        """At confirmed."""
        answer = await self.rpc.get_transaction(signature, commitment=Confirmed, max_supported_transaction_version=0)
        return answer.value

    def kinds(self) -> list[str]:
        """What is on the tape after the beginning."""
        return [entry.kind for entry in self.tape.entries() if entry.kind not in {"genesis", "funded"}]

    def wallet(self, number: int = 1, *, sol: float = 10, **tokens: int) -> Keypair:
        """A funded key, the same in every run."""
        key = Keypair.from_seed(bytes([number]) * 32)
        self.venue.fund(key.pubkey(), sol=sol, tokens=tokens)
        return key


def signed(text: str, key: Keypair) -> VersionedTransaction:
    """As a wallet signs what Jupiter built: one required signer, which is the wallet."""
    transaction = VersionedTransaction.from_bytes(base64.b64decode(text))
    message = transaction.message
    assert message.header.num_required_signatures == 1
    assert message.account_keys[0] == key.pubkey()
    return VersionedTransaction.populate(message, [key.sign_message(to_bytes_versioned(message))])


@asynccontextmanager
async def open_box(*rules: Rule, plans: Plans = UNLIMITED, skip_every: int | None = None) -> AsyncIterator[Box]:
    """Start it, and stop it."""
    market, clock, tape, faults = TinyMarket(), SteppedClock(START), Tape(), Faults(rules)
    venue = SolanaVenue(market, clock, tape, faults, TOKENS, skip_every=skip_every, plans=plans)
    addresses = await venue.start()
    try:
        async with AsyncClient(addresses.rpc) as rpc, aiohttp.ClientSession() as http:
            yield Box(venue, market, clock, tape, faults, addresses.rpc, rpc, http, addresses.jupiter)
    finally:
        await venue.stop()


def run(story: Callable[[Box], Awaitable[None]], *rules: Rule, **options: Any) -> None:
    """Tell the story in a fresh box."""

    async def tell() -> None:
        async with open_box(*rules, **options) as box:
            await story(box)

    asyncio.run(tell())


def deltas(transaction: Any, owner: Pubkey) -> dict[str, int]:
    """By mint, from the token balances of a transaction, as a careful client computes fills."""
    meta, moved = transaction.transaction.meta, dict[str, int]()
    for sign, balances in ((-1, meta.pre_token_balances), (1, meta.post_token_balances)):
        for balance in balances:
            if balance.owner == owner:
                mint = str(balance.mint)
                moved[mint] = moved.get(mint, 0) + sign * int(balance.ui_token_amount.amount)
    return moved
