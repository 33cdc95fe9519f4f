"""Wallets that swap, pay and ask until the simulated Solana and Jupiter have shown whatever they can answer."""

import base64
from collections.abc import Mapping
from typing import Any

from solana.rpc.commitment import Processed
from solders import system_program as system
from solders.account import Account
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message, MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.transaction import Transaction, VersionedTransaction

from strandline_sim.faults import FaultKind, Rule
from strandline_sim.solana.encoding import base58
from strandline_sim.solana.token_accounts import TOKEN_2022_PROGRAM, TOKEN_PROGRAM, associated_address
from tests.strandline_sim.contract.contract import Contract
from tests.strandline_sim.contract.schemas.solana_rpc import RESULTS
from tests.strandline_sim.solana.simulation import BONK, FEE_TOKEN, PYUSD, SOL, UNPRICED, USDC, Simulation, signed

MEMO = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")
LOOKUP_PROGRAM = Pubkey.from_string("AddressLookupTab1e1111111111111111111111111")
FRIEND, LOOKED_UP, TABLE = (Pubkey.from_bytes(bytes([number]) * 32) for number in (7, 8, 9))
SKIP = {"encoding": "base64", "skipPreflight": True}
PREFLIGHT = {"encoding": "base64", "preflightCommitment": "processed"}
FEE_MINT = str(FEE_TOKEN.mint)


class SolanaSession:
    """A client of a simulation who checks each answer."""

    def __init__(self, contract: Contract, sim: Simulation) -> None:
        self.contract = contract
        self.sim = sim
        self.key = sim.wallet(SOL=3_000_000_000, USDC=1_000_000_000, PYUSD=5_000_000)
        self.owner = str(self.key.pubkey())

    async def call(self, method: str, *params: Any) -> Any:
        """Call a method; return the result, or None for an error."""
        answer = await self.sim.call(method, *params)
        options = params[-1] if params and isinstance(params[-1], dict) else {}
        encoding = options.get("encoding", "json" if method == "getTransaction" else "")
        name = f"{method} {encoding}"
        name = name if name in RESULTS else method
        self.contract.check("rpc error" if "error" in answer else f"rpc {name}", answer)
        return answer.get("result")

    async def raw(self, body: bytes) -> None:
        """Send what is no call."""
        async with self.sim.http.post(self.sim.rpc_url, data=body) as answer:
            self.contract.check("rpc error", await answer.json())

    async def jupiter(
        self, method: str, path: str, content: Mapping[str, Any] | None = None, *, status: int = 200, key: str = ""
    ) -> Any:
        """Ask Jupiter; `content` is the query, or the body."""
        headers, url = {"x-api-key": key} if key else {}, self.sim.jupiter_url + path
        is_get, content = method == "GET", content or {}
        request = self.sim.http.request(
            method, url, headers=headers, params=content if is_get else None, json=None if is_get else content
        )
        async with request as answer:
            assert answer.status == status, await answer.text()
            found = await answer.text() if status == 429 else await answer.json()
        return self.contract.check(f"jupiter {f'{method} {path}' if status == 200 else status}", found)

    async def send(self, transaction: VersionedTransaction | Transaction, **options: Any) -> str | None:
        """Send a transaction; return its signature."""
        sent: str | None = await self.call("sendTransaction", encoded(transaction), options or PREFLIGHT)
        return sent

    async def swap(
        self, source: str, target: str, amount: int, slippage: int = 50, **more: Any
    ) -> VersionedTransaction:
        """Get the transaction of a swap, and sign it."""
        quote = await self.quote(source, target, str(amount), slippageBps=str(slippage))
        answer = await self.jupiter("POST", "/swap/v2/swap", {"quoteResponse": quote, "taker": self.owner, **more})
        return signed(answer["swapTransaction"], self.key)

    async def quote(self, source: str, target: str, amount: str = "1000000", status: int = 200, **more: str) -> Any:
        """Get a quote."""
        query = {"inputMint": source, "outputMint": target, "amount": amount, **more}
        return await self.jupiter("GET", "/swap/v2/quote", query, status=status)


def encoded(transaction: VersionedTransaction | Transaction) -> str:
    """Write a transaction in base 64."""
    return base64.b64encode(bytes(transaction)).decode()


async def drive(contract: Contract, sim: Simulation) -> None:
    """Do and ask everything."""
    session = SolanaSession(contract, sim)
    sent = await transactions(session)
    await simulations(session)
    await ask_everything(session, sent)
    await rpc_refusals(session)
    await jupiter(session)
    await jupiter_refusals(session)


async def transactions(session: SolanaSession) -> list[str]:
    """Land transactions of each kind, some of which fail; return their signatures."""
    sim, key = session.sim, session.key
    late = await session.swap(BONK, USDC, 10**9, slippage=0)
    sent = [
        await session.send(await session.swap(USDC, BONK, 100_000_000)),
        await session.send(await session.swap(SOL, FEE_MINT, 1_000_000_000, wrapAndUnwrapSol=False)),
        await session.send(await with_table(sim, key)),
        await session.send(await legacy(sim, key, 1_000_000)),
        await session.send(await legacy(sim, key, 10**13), **SKIP),
    ]
    sent.append(await session.send(await with_delegates(sim, key)))
    nonsense = Instruction(system.ID, b"\xff" * 4, [])
    sent.append(await session.send(await sim.compose(key, [nonsense]), **SKIP))
    sim.market.prices["BONK"] /= 2
    sent.append(await session.send(late, **SKIP))
    poor = Keypair.from_seed(b"p" * 32)
    sent.append(await session.send(await sim.pay(key, poor.pubkey(), 1_000_000)))
    await session.send(await sim.pay(poor, FRIEND, 999_000), **SKIP)
    airdrop = await session.call("requestAirdrop", str(FRIEND), 10**9)
    statuses = [one for one in (*sent, airdrop) if one]
    for blocks in (1, 2, 40, 1):
        await session.call("getSignatureStatuses", [*statuses, base58(bytes(64))])
        for encoding in ("json", "jsonParsed", "base58", "base64"):
            options = {"encoding": encoding, "commitment": "confirmed", "maxSupportedTransactionVersion": 0}
            await session.call("getTransaction", statuses[0], options)
        await sim.blocks(blocks)
        await session.call("getSignaturesForAddress", session.owner, {"commitment": "confirmed"})
    return statuses


async def with_table(sim: Simulation, key: Keypair) -> VersionedTransaction:
    """Make a payment with a memo, some of whose accounts are in a lookup table."""
    head = (1).to_bytes(4, "little") + (2**64 - 1).to_bytes(8, "little") + bytes(44)
    data = head + bytes(FRIEND) + bytes(LOOKED_UP)
    sim.venue.accounts.put(TABLE, Account(10**9, data, LOOKUP_PROGRAM, executable=False, rent_epoch=0))
    pay = system.transfer(system.TransferParams(from_pubkey=key.pubkey(), to_pubkey=FRIEND, lamports=10**9))
    looks = Instruction(pay.program_id, bytes(pay.data), [*pay.accounts, AccountMeta(LOOKED_UP, False, False)])
    memo = Instruction(MEMO, "grüezi".encode(), [AccountMeta(key.pubkey(), is_signer=True, is_writable=True)])
    blockhash = (await sim.rpc.get_latest_blockhash(Processed)).value.blockhash
    table = AddressLookupTableAccount(TABLE, [FRIEND, LOOKED_UP])
    return VersionedTransaction(MessageV0.try_compile(key.pubkey(), [looks, memo], [table], blockhash), [key])


async def with_delegates(sim: Simulation, key: Keypair) -> VersionedTransaction:
    """Let a friend spend from token accounts, and close them."""
    owner, instructions = key.pubkey(), []
    for mint, program in ((USDC, TOKEN_PROGRAM), (SOL, TOKEN_PROGRAM), (PYUSD, TOKEN_2022_PROGRAM)):
        address = associated_address(owner, Pubkey.from_string(mint), program)
        account = AccountMeta(address, is_signer=False, is_writable=True)
        friend = AccountMeta(FRIEND, is_signer=False, is_writable=False)
        signer = AccountMeta(owner, is_signer=True, is_writable=False)
        instructions.append(Instruction(program, b"\x04" + (7).to_bytes(8, "little"), [account, friend, signer]))
        instructions.append(Instruction(program, b"\x06\x03\x01" + bytes(FRIEND), [account, signer]))
    return await sim.compose(key, instructions)


async def legacy(sim: Simulation, key: Keypair, lamports: int) -> Transaction:
    """Make a payment without a version."""
    blockhash = (await sim.rpc.get_latest_blockhash(Processed)).value.blockhash
    move = system.transfer(system.TransferParams(from_pubkey=key.pubkey(), to_pubkey=FRIEND, lamports=lamports))
    return Transaction([key], Message.new_with_blockhash([move], key.pubkey(), blockhash), blockhash)


async def simulations(session: SolanaSession) -> None:
    """Simulate a swap, a payment that leaves too little for the rent, and one on an unknown blockhash."""
    sim = session.sim
    swap = encoded(await session.swap(USDC, BONK, 1_000_000))
    wanted = {"encoding": "base64", "addresses": [session.owner, str(Keypair.from_seed(b"q" * 32).pubkey())]}
    at = {"encoding": "base64", "commitment": "processed"}
    await session.call("simulateTransaction", swap, {**at, "accounts": wanted, "innerInstructions": True})
    await session.call("simulateTransaction", swap, {**at, "replaceRecentBlockhash": True})
    little = encoded(await sim.pay(session.key, Keypair.from_seed(b"r" * 32).pubkey(), 5))
    await session.call("simulateTransaction", little, at)
    size = Instruction(TOKEN_PROGRAM, b"\x15", [AccountMeta(Pubkey.from_string(USDC), False, False)])
    await session.call("simulateTransaction", encoded(await sim.compose(session.key, [size])), at)
    old = await sim.pay(session.key, FRIEND, 7)
    await session.call("getFeeForMessage", message_of(old), {"commitment": "processed"})
    await sim.blocks(200)
    await session.call("simulateTransaction", encoded(old), at)
    await session.send(old)
    await session.call("getFeeForMessage", message_of(old), {"commitment": "processed"})


def message_of(transaction: VersionedTransaction) -> str:
    """Write a transaction's message in base 64."""
    return base64.b64encode(to_bytes_versioned(transaction.message)).decode()


async def ask_everything(session: SolanaSession, sent: list[str]) -> None:
    """Ask in each encoding about each kind of account and transaction."""
    call = session.call
    key = session.key.pubkey()
    token_accounts = [str(associated_address(key, Pubkey.from_string(SOL), TOKEN_PROGRAM))]
    for encoding in ("", "base58", "base64", "base64+zstd", "jsonParsed"):
        options = {"encoding": encoding} if encoding else {}
        short = [session.owner, str(MEMO), str(FRIEND), base58(b"n" * 32)]
        short = short if encoding not in {"", "base58"} else [session.owner, USDC, base58(b"n" * 32)]
        for address in short:
            await call("getAccountInfo", address, options)
        await call("getMultipleAccounts", short, options)
        if encoding not in {"", "base58"}:
            await call("getMultipleAccounts", [USDC, PYUSD, FEE_MINT, *token_accounts], options)
            for mint in (USDC, PYUSD, SOL, FEE_MINT):
                await call("getTokenAccountsByOwner", session.owner, {"mint": mint}, options)
    for encoding in ("json", "jsonParsed", "base58", "base64"):
        for signature in sent:
            await call("getTransaction", signature, {"encoding": encoding, "maxSupportedTransactionVersion": 0})
    await call("getTransaction", sent[3], {"encoding": "json"})
    (account,) = token_accounts
    blockhash = (await call("getLatestBlockhash"))["value"]["blockhash"]
    slot = await call("getSlot")
    for method, *params in (
        ("getBalance", session.owner),
        ("getBlockHeight",),
        ("getBlockTime", slot),
        ("getBlockTime", slot + 10_000),
        ("getEpochInfo",),
        ("getFirstAvailableBlock",),
        ("getGenesisHash",),
        ("getHealth",),
        ("getMinimumBalanceForRentExemption", 165),
        ("getRecentPrioritizationFees", []),
        ("getTokenAccountBalance", account),
        ("getTokenSupply", USDC),
        ("getTokenSupply", BONK),
        ("getVersion",),
        ("isBlockhashValid", blockhash),
        ("minimumLedgerSlot",),
    ):
        await call(str(method), *params)


async def rpc_refusals(session: SolanaSession) -> None:
    """Be refused with each code."""
    sim, call = session.sim, session.call
    for body in (b"{", b"7", b'{"method": "getSlot"}'):
        await session.raw(body)
    await call("getNothing")
    await call("getBalance", "nobody")
    await call("getBalance", session.owner, {"minContextSlot": 400_000_000})
    for slot in range(319_999_999, 320_000_010):  # one before the first block, and one that was skipped
        await call("getBlockTime", slot)
    sent = await session.send(await session.swap(USDC, BONK, 1_000_000))
    await sim.blocks(2)
    await call("getTransaction", sent, {"commitment": "confirmed"})
    await session.send(await sim.pay(session.key, FRIEND, 10**14))
    await session.send(await sim.pay(session.key, Keypair.from_seed(b"s" * 32).pubkey(), 5))
    pay = await sim.pay(session.key, FRIEND, 9)
    await session.send(pay)
    await session.send(pay)
    await session.send(VersionedTransaction.populate(pay.message, [Keypair().sign_message(b"other")]))
    sim.faults.add(Rule(route="solana/rpc/getHealth", kind=FaultKind.NODE_BEHIND, value=50))
    await call("getHealth")


async def jupiter(session: SolanaSession) -> None:
    """Ask Jupiter for each path's answers."""
    ask = session.jupiter
    await ask("GET", "/swap/v2/program-id-to-label")
    await ask("GET", "/price/v3", {"ids": f"{SOL},{USDC},{UNPRICED.mint}"})
    for query in ("", str(UNPRICED.mint)):
        await ask("GET", "/tokens/v2/search", {"query": query})
    for pair in ((USDC, SOL), (SOL, BONK), (USDC, BONK)):
        body = {"quoteResponse": await session.quote(*pair), "taker": session.owner}
        await ask("POST", "/swap/v2/swap-instructions", body)
        await ask("POST", "/swap/v2/swap-instructions", {**body, "tipAmount": 1_000_000})
        await ask("POST", "/swap/v2/swap", {**body, "computeUnitPricePercentile": "high"})


async def jupiter_refusals(session: SolanaSession) -> None:
    """Be refused with each code and status."""
    ask = session.jupiter
    for pair in ((USDC, USDC), (USDC, str(UNPRICED.mint))):
        await session.quote(*pair, status=400)
    await session.quote(BONK, SOL, "1", status=400)
    await session.quote(USDC, SOL, "0", status=400)
    await session.quote(USDC, SOL, status=400, swapMode="ExactOut")
    body = {"quoteResponse": await session.quote(USDC, SOL), "taker": session.owner}
    both = {"computeUnitPriceMicroLamports": 1, "prioritizationFeeLamports": 1}
    await ask("POST", "/swap/v2/swap", {**body, **both}, status=400)
    await ask("POST", "/swap/v2/swap", {**body, "feeAccount": USDC}, status=400)
    await ask("POST", "/swap/v2/swap", status=422)
    await ask("GET", "/price/v3", status=400)
    await ask("GET", "/price/v3", {"ids": SOL}, status=401, key="wrong")
    await ask("GET", "/ultra/v1/order", status=404)
    session.sim.faults.add(Rule(route="solana/jupiter/price", kind=FaultKind.STATUS, value=429))
    await ask("GET", "/price/v3", {"ids": SOL}, status=429)
