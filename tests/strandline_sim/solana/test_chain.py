"""Heights, expiry, duplicates, commitment levels, landing, forks."""

import asyncio
import struct

import pytest
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed, Finalized, Processed
from solana.rpc.core import RPCException
from solana.rpc.models import TxOpts
from solders.account import Account
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.rpc.errors import SendTransactionPreflightFailureMessage
from solders.signature import Signature
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction
from solders.transaction_status import TransactionConfirmationStatus, TransactionErrorFieldless

from strandline_sim.clock import RunningClock
from strandline_sim.faults import FaultKind, Faults, Rule
from strandline_sim.solana import SolanaVenue
from strandline_sim.solana.blocks import Blocks
from strandline_sim.tape import Tape
from tests.strandline_sim.solana.simulation import START, UNLIMITED, USDC, AdjustablePrices, Simulation, run

RECIPIENT = Keypair.from_seed(b"f" * 32).pubkey()


async def balance(sim: Simulation, address: Pubkey = RECIPIENT) -> int:
    """Read the balance at processed."""
    return (await sim.rpc.get_balance(address, Processed)).value


def landing(kind: FaultKind, value: float = 0, times: int | None = 1) -> Rule:
    """Make a fault between the node and the leader."""
    return Rule(route="solana/landing", kind=kind, value=value, times=times)


@pytest.mark.parametrize("skip_every", [None, 2, 5])
def test_slots_and_heights_agree(skip_every: int | None) -> None:
    blocks = Blocks(1000, skip_every=skip_every)
    first = blocks.height_at(1000)
    heights = [blocks.height_at(1000 + slot * 400) for slot in range(50)]
    assert heights[0] == first
    for height in range(first, heights[-1] + 1):
        made = blocks.time_of(height)
        assert blocks.height_at(made) == height
        assert blocks.height_at(made - 1) == (height - 1 if height > first else first)
        assert (made - 1000) // 400 == blocks.slot_of(height) - blocks.slot_of(first)
    skipped = 49 - (heights[-1] - first)
    assert skipped == (49 // skip_every if skip_every else 0)


def test_skipping_every_slot_is_refused() -> None:
    with pytest.raises(ValueError, match="skip_every"):
        Blocks(0, skip_every=1)


def test_a_blockhash_is_valid_for_150_blocks() -> None:
    async def scenario(sim: Simulation) -> None:
        key = sim.wallet()
        latest = (await sim.rpc.get_latest_blockhash(Processed)).value
        early, late = await sim.pay(key, RECIPIENT, 1_000_000), await sim.pay(key, RECIPIENT, 1_000_001)
        await sim.blocks(150)
        assert (await sim.rpc.get_block_height(Processed)).value == latest.last_valid_block_height
        await sim.send(early)
        assert await balance(sim) == 1_000_000
        await sim.blocks(1)
        with pytest.raises(RPCException) as refused:
            await sim.send(late)
        failure = refused.value.args[0]
        assert isinstance(failure, SendTransactionPreflightFailureMessage)
        assert failure.message == "Transaction simulation failed: Blockhash not found"
        assert failure.data.err == TransactionErrorFieldless.BlockhashNotFound
        await sim.send(late, skip_preflight=True)
        assert await balance(sim) == 1_000_000
        assert sim.kinds() == ["received", "landed", "refused", "received", "dropped"]

    run(scenario)


def test_preflight_at_finalized_refuses_a_new_blockhash() -> None:
    async def scenario(sim: Simulation) -> None:
        transaction = await sim.pay(sim.wallet(), RECIPIENT, 1_000_000)
        with pytest.raises(RPCException):
            await sim.send(transaction, preflight_commitment=Finalized)
        await sim.blocks(32)
        await sim.send(transaction, preflight_commitment=Finalized)

    run(scenario)


def test_the_same_transaction_lands_once() -> None:
    async def scenario(sim: Simulation) -> None:
        transaction = await sim.pay(sim.wallet(), RECIPIENT, 1_000_000)
        await sim.send(transaction)
        with pytest.raises(RPCException) as refused:
            await sim.send(transaction)
        failure = refused.value.args[0]
        assert failure.data.err == TransactionErrorFieldless.AlreadyProcessed
        assert "already been processed" in failure.message
        assert await sim.send(transaction, skip_preflight=True) == transaction.signatures[0]
        assert await balance(sim) == 1_000_000

    run(scenario)


def test_a_failed_transaction_cannot_land_again() -> None:
    async def scenario(sim: Simulation) -> None:
        transaction = await sim.pay(sim.wallet(sol=1), RECIPIENT, 5_000_000_000)
        await sim.send(transaction, skip_preflight=True)
        await sim.send(transaction, skip_preflight=True)
        assert sim.kinds() == ["received", "failed", "received"]

    run(scenario)


def test_a_wrong_signature() -> None:
    async def scenario(sim: Simulation) -> None:
        transaction = await sim.pay(sim.wallet(), RECIPIENT, 1_000_000)
        forged = VersionedTransaction.populate(transaction.message, [Signature.from_bytes(b"x" * 64)])
        opts = TxOpts(preflight_commitment=Processed)
        with pytest.raises(RPCException) as refused:
            await sim.rpc.send_raw_transaction(bytes(forged), opts=opts)
        assert "SignatureVerificationFailure" in str(refused.value)
        await sim.send(forged, skip_preflight=True)  # accepted, and dropped before it lands
        assert await balance(sim) == 0
        [dropped] = sim.tape.entries(kind="dropped")
        assert dropped.data["reason"] == "SignatureFailure"

    run(scenario)


def test_a_payer_without_lamports_is_dropped() -> None:
    async def scenario(sim: Simulation) -> None:
        transaction = await sim.pay(Keypair.from_seed(b"e" * 32), RECIPIENT, 1)
        signature = await sim.send(transaction, skip_preflight=True)
        assert await sim.status(signature) is None
        assert sim.kinds() == ["received", "dropped"]

    run(scenario)


def test_reads_are_at_their_commitment() -> None:
    async def scenario(sim: Simulation) -> None:
        key = sim.wallet()
        sim.venue.fund(RECIPIENT, sol=1)
        await sim.send(await sim.pay(key, RECIPIENT, 500))
        seen = [(await sim.rpc.get_balance(RECIPIENT, level)).value for level in (Processed, Confirmed, Finalized)]
        assert seen == [1_000_000_500, 1_000_000_000, 1_000_000_000]
        await sim.blocks(1)
        assert (await sim.rpc.get_balance(RECIPIENT, Confirmed)).value == 1_000_000_500
        sim.venue.fund(RECIPIENT, sol=1)  # deposits are seen at every commitment
        assert (await sim.rpc.get_balance(RECIPIENT, Finalized)).value == 2_000_000_000
        await sim.blocks(31)
        assert (await sim.rpc.get_balance(RECIPIENT, Finalized)).value == 2_000_000_500

    run(scenario)


def test_the_client_waits_for_confirmation_while_the_clock_runs() -> None:
    async def scenario(sim: Simulation) -> None:
        signature = await sim.send(await sim.pay(sim.wallet(), RECIPIENT, 1_000_000))
        await sim.blocks(1)
        answer = await sim.rpc.confirm_transaction(signature, Confirmed, sleep_seconds=0.01)
        [status] = answer.value
        assert status is not None
        assert status.confirmation_status == TransactionConfirmationStatus.Confirmed

    run(scenario)


def test_a_node_resends_a_lost_transaction_up_to_max_retries() -> None:
    async def scenario(sim: Simulation) -> None:
        key = sim.wallet()
        signature = await sim.send(await sim.pay(key, RECIPIENT, 1_000_000))
        assert await sim.status(signature) is None
        await sim.blocks(5)
        assert await sim.status(signature) is not None
        lost = await sim.send(await sim.pay(key, RECIPIENT, 1_000_001), max_retries=0)
        await sim.blocks(200)
        assert await sim.status(lost) is None
        assert sim.kinds() == ["received", "landed", "received", "dropped"]

    rules = [Rule(route="solana/landing", kind=FaultKind.DROP_REQUEST, after=after) for after in (0, 1)]
    run(scenario, *rules)


def test_delayed_landings_up_to_the_last_valid_block() -> None:
    async def scenario(sim: Simulation) -> None:
        key = sim.wallet()
        late = await sim.send(await sim.pay(key, RECIPIENT, 1_000_000))
        await sim.blocks(9)
        assert await sim.status(late) is None
        await sim.blocks(1)
        assert await sim.status(late) is not None
        transaction = await sim.pay(key, RECIPIENT, 1_000_001)
        sim.faults.add(landing(FaultKind.DELAY, -1))
        last = await sim.send(transaction)
        await sim.blocks(149)
        assert await sim.status(last) is None
        await sim.blocks(1)  # it lands without a request
        assert sim.kinds()[-1] == "landed"
        await sim.blocks(1)
        assert await sim.status(last) is not None

    run(scenario, landing(FaultKind.DELAY, 4000))


def test_a_transaction_cannot_land_after_its_last_valid_block() -> None:
    async def scenario(sim: Simulation) -> None:
        signature = await sim.send(await sim.pay(sim.wallet(), RECIPIENT, 1_000_000))
        await sim.blocks(200)
        assert await sim.status(signature) is None
        assert [entry.data["reason"] for entry in sim.tape.entries(kind="dropped")] == ["BlockhashNotFound"]

    run(scenario, landing(FaultKind.DELAY, 151 * 400))


def test_a_delayed_transaction_that_is_sent_again_lands_once() -> None:
    async def scenario(sim: Simulation) -> None:
        transaction = await sim.pay(sim.wallet(), RECIPIENT, 1_000_000)
        await sim.send(transaction)
        await sim.send(transaction)
        await sim.blocks(20)
        assert await balance(sim) == 1_000_000
        assert sim.kinds() == ["received", "received", "landed"]

    run(scenario, landing(FaultKind.DELAY, 4000))


def test_a_fork_undoes_a_processed_transaction() -> None:
    async def scenario(sim: Simulation) -> None:
        key, other = sim.wallet(), sim.wallet(2)
        fresh = Hash.from_string(str((await sim.rpc.get_latest_blockhash(Processed)).value.blockhash))
        sim.venue.fund(RECIPIENT, sol=1)
        await sim.blocks(3)
        lost = await sim.pay(key, RECIPIENT, 500)
        kept = await sim.pay(other, RECIPIENT, 70)
        await sim.blocks(1)
        signature = await sim.send(lost)
        sim.venue.fund(RECIPIENT, sol=1)
        await sim.send(kept)
        assert await balance(sim) == 2_000_000_570
        assert (await sim.status(signature)).confirmation_status == TransactionConfirmationStatus.Processed
        await sim.blocks(1)
        assert await sim.status(signature) is None
        assert (await sim.status(kept.signatures[0])) is not None
        assert await balance(sim) == 2_000_000_070
        assert sim.kinds() == ["received", "landed", "received", "landed", "forked", "landed"]
        await sim.send(lost)  # its blockhash is older than the fork, so that it can land again
        assert await balance(sim) == 2_000_000_570
        assert (await sim.call("isBlockhashValid", str(fresh), {"commitment": "processed"}))["result"]["value"] is True

    run(scenario, landing(FaultKind.FORK))


def test_a_blockhash_of_a_replaced_fork_is_invalid() -> None:
    async def scenario(sim: Simulation) -> None:
        key = sim.wallet()
        await sim.blocks(1)
        transaction = await sim.pay(key, RECIPIENT, 1_000_000)
        await sim.send(transaction)
        await sim.blocks(3)
        assert sim.kinds() == ["received", "landed", "forked"]
        with pytest.raises(RPCException) as refused:
            await sim.send(transaction)
        assert refused.value.args[0].data.err == TransactionErrorFieldless.BlockhashNotFound

    run(scenario, landing(FaultKind.FORK, 1200))


def test_a_fork_undoes_accounts_and_swaps() -> None:
    async def scenario(sim: Simulation) -> None:
        key = sim.wallet(USDC=1_000_000_000)
        supply = {address: sim.venue.accounts.get(address) for address in (key.pubkey(), sim.venue.pools.address)}
        transaction, _ = await sim.swap(await sim.quote(USDC, str(sim.venue.tokens[3].mint), 1_000_000), key)
        await sim.send(transaction)
        assert len(list(sim.venue.accounts.of_owner(key.pubkey(), 10**12))) == 2
        await sim.blocks(1)
        assert len(list(sim.venue.accounts.of_owner(key.pubkey(), 10**12))) == 1
        assert sim.venue.accounts.get(key.pubkey()) == supply[key.pubkey()]

    run(scenario, landing(FaultKind.FORK))


def test_keys_from_a_lookup_table() -> None:
    async def scenario(sim: Simulation) -> None:
        key = sim.wallet()
        table = Pubkey.from_bytes(b"t" * 32)
        header = struct.pack("<IQQB", 1, 2**64 - 1, 0, 0).ljust(56, b"\0")
        program = Pubkey.from_string("AddressLookupTab1e1111111111111111111111111")
        sim.venue.accounts.put(
            table, Account(10**9, header + bytes(RECIPIENT), program, executable=False, rent_epoch=0)
        )
        blockhash = (await sim.rpc.get_latest_blockhash(Processed)).value.blockhash
        move = transfer(TransferParams(from_pubkey=key.pubkey(), to_pubkey=RECIPIENT, lamports=1_000_000))
        tables = [AddressLookupTableAccount(table, [RECIPIENT])]
        message = MessageV0.try_compile(key.pubkey(), [move], tables, blockhash)
        assert RECIPIENT not in message.account_keys
        signature = await sim.send(VersionedTransaction(message, [key]))
        await sim.blocks(1)
        meta = (await sim.transaction(signature)).transaction.meta
        assert meta.loaded_addresses.writable == [RECIPIENT]
        assert meta.post_balances[-1] - meta.pre_balances[-1] == 1_000_000

    run(scenario)


def test_a_running_clock_advances_the_chain() -> None:
    async def scenario() -> None:
        venue = SolanaVenue(AdjustablePrices(), RunningClock(START, speed=200), Tape(), Faults(), plans=UNLIMITED)
        addresses = await venue.start()
        async with AsyncClient(addresses.rpc) as rpc:
            signature = (await rpc.request_airdrop(RECIPIENT, 10**9)).value
            await rpc.confirm_transaction(signature, Finalized, sleep_seconds=0.02)
            assert (await rpc.get_balance(RECIPIENT)).value == 10**9
        await venue.stop()

    asyncio.run(scenario())
