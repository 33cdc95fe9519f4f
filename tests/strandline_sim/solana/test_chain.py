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
from tests.strandline_sim.solana.box import START, UNLIMITED, USDC, Box, TinyMarket, run

FRIEND = Keypair.from_seed(b"f" * 32).pubkey()


async def balance(box: Box, address: Pubkey = FRIEND) -> int:
    """Now, whatever may become of it."""
    return (await box.rpc.get_balance(address, Processed)).value


def landing(kind: FaultKind, value: float = 0, times: int | None = 1) -> Rule:
    """A fault between the node and the leader."""
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


def test_a_slot_that_never_has_a_block_is_refused() -> None:
    with pytest.raises(ValueError, match="skip_every"):
        Blocks(0, skip_every=1)


def test_a_blockhash_is_valid_for_150_blocks() -> None:
    async def story(box: Box) -> None:
        key = box.wallet()
        latest = (await box.rpc.get_latest_blockhash(Processed)).value
        early, late = await box.pay(key, FRIEND, 1_000_000), await box.pay(key, FRIEND, 1_000_001)
        await box.blocks(150)
        assert (await box.rpc.get_block_height(Processed)).value == latest.last_valid_block_height
        await box.send(early)
        assert await balance(box) == 1_000_000
        await box.blocks(1)
        with pytest.raises(RPCException) as refused:
            await box.send(late)
        failure = refused.value.args[0]
        assert isinstance(failure, SendTransactionPreflightFailureMessage)
        assert failure.message == "Transaction simulation failed: Blockhash not found"
        assert failure.data.err == TransactionErrorFieldless.BlockhashNotFound
        await box.send(late, skip_preflight=True)
        assert await balance(box) == 1_000_000
        assert box.kinds() == ["received", "landed", "refused", "received", "dropped"]

    run(story)


def test_preflight_at_finalized_does_not_know_a_fresh_blockhash() -> None:
    async def story(box: Box) -> None:
        transaction = await box.pay(box.wallet(), FRIEND, 1_000_000)
        with pytest.raises(RPCException):
            await box.send(transaction, preflight_commitment=Finalized)
        await box.blocks(32)
        await box.send(transaction, preflight_commitment=Finalized)

    run(story)


def test_the_same_transaction_lands_once() -> None:
    async def story(box: Box) -> None:
        transaction = await box.pay(box.wallet(), FRIEND, 1_000_000)
        await box.send(transaction)
        with pytest.raises(RPCException) as refused:
            await box.send(transaction)
        failure = refused.value.args[0]
        assert failure.data.err == TransactionErrorFieldless.AlreadyProcessed
        assert "already been processed" in failure.message
        assert await box.send(transaction, skip_preflight=True) == transaction.signatures[0]
        assert await balance(box) == 1_000_000

    run(story)


def test_a_failed_transaction_cannot_land_again_either() -> None:
    async def story(box: Box) -> None:
        transaction = await box.pay(box.wallet(sol=1), FRIEND, 5_000_000_000)
        await box.send(transaction, skip_preflight=True)
        await box.send(transaction, skip_preflight=True)
        assert box.kinds() == ["received", "failed", "received"]

    run(story)


def test_a_wrong_signature() -> None:
    async def story(box: Box) -> None:
        transaction = await box.pay(box.wallet(), FRIEND, 1_000_000)
        forged = VersionedTransaction.populate(transaction.message, [Signature.from_bytes(b"x" * 64)])
        opts = TxOpts(preflight_commitment=Processed)
        with pytest.raises(RPCException) as refused:
            await box.rpc.send_raw_transaction(bytes(forged), opts=opts)
        assert "SignatureVerificationFailure" in str(refused.value)
        await box.send(forged, skip_preflight=True)  # taken, and dropped on the way
        assert await balance(box) == 0
        [dropped] = box.tape.entries(kind="dropped")
        assert dropped.data["reason"] == "SignatureFailure"

    run(story)


def test_a_payer_without_money_leaves_no_trace() -> None:
    async def story(box: Box) -> None:
        transaction = await box.pay(Keypair.from_seed(b"e" * 32), FRIEND, 1)
        signature = await box.send(transaction, skip_preflight=True)
        assert await box.status(signature) is None
        assert box.kinds() == ["received", "dropped"]

    run(story)


def test_reads_see_the_state_of_their_commitment() -> None:
    async def story(box: Box) -> None:
        key = box.wallet()
        box.venue.fund(FRIEND, sol=1)
        await box.send(await box.pay(key, FRIEND, 500))
        seen = [(await box.rpc.get_balance(FRIEND, level)).value for level in (Processed, Confirmed, Finalized)]
        assert seen == [1_000_000_500, 1_000_000_000, 1_000_000_000]
        await box.blocks(1)
        assert (await box.rpc.get_balance(FRIEND, Confirmed)).value == 1_000_000_500
        box.venue.fund(FRIEND, sol=1)  # a gift was always there
        assert (await box.rpc.get_balance(FRIEND, Finalized)).value == 2_000_000_000
        await box.blocks(31)
        assert (await box.rpc.get_balance(FRIEND, Finalized)).value == 2_000_000_500

    run(story)


def test_the_client_waits_for_confirmation_while_the_clock_runs() -> None:
    async def story(box: Box) -> None:
        signature = await box.send(await box.pay(box.wallet(), FRIEND, 1_000_000))
        await box.blocks(1)
        answer = await box.rpc.confirm_transaction(signature, Confirmed, sleep_seconds=0.01)
        [status] = answer.value
        assert status is not None
        assert status.confirmation_status == TransactionConfirmationStatus.Confirmed

    run(story)


def test_a_node_sends_a_lost_transaction_again_unless_told_not_to() -> None:
    async def story(box: Box) -> None:
        key = box.wallet()
        signature = await box.send(await box.pay(key, FRIEND, 1_000_000))
        assert await box.status(signature) is None
        await box.blocks(5)
        assert await box.status(signature) is not None
        lost = await box.send(await box.pay(key, FRIEND, 1_000_001), max_retries=0)
        await box.blocks(200)
        assert await box.status(lost) is None
        assert box.kinds() == ["received", "landed", "received", "dropped"]

    rules = [Rule(route="solana/landing", kind=FaultKind.DROP_REQUEST, after=after) for after in (0, 1)]
    run(story, *rules)


def test_a_late_landing_and_one_in_the_last_valid_block() -> None:
    async def story(box: Box) -> None:
        key = box.wallet()
        late = await box.send(await box.pay(key, FRIEND, 1_000_000))
        await box.blocks(9)
        assert await box.status(late) is None
        await box.blocks(1)
        assert await box.status(late) is not None
        transaction = await box.pay(key, FRIEND, 1_000_001)
        box.faults.add(landing(FaultKind.DELAY, -1))
        last = await box.send(transaction)
        await box.blocks(149)
        assert await box.status(last) is None
        await box.blocks(1)  # nobody has to ask for it to happen
        assert box.kinds()[-1] == "landed"
        await box.blocks(1)
        assert await box.status(last) is not None

    run(story, landing(FaultKind.DELAY, 4000))


def test_a_landing_after_the_last_valid_block_is_none() -> None:
    async def story(box: Box) -> None:
        signature = await box.send(await box.pay(box.wallet(), FRIEND, 1_000_000))
        await box.blocks(200)
        assert await box.status(signature) is None
        assert [entry.data["reason"] for entry in box.tape.entries(kind="dropped")] == ["BlockhashNotFound"]

    run(story, landing(FaultKind.DELAY, 151 * 400))


def test_resending_while_a_landing_is_late_lands_once() -> None:
    async def story(box: Box) -> None:
        transaction = await box.pay(box.wallet(), FRIEND, 1_000_000)
        await box.send(transaction)
        await box.send(transaction)
        await box.blocks(20)
        assert await balance(box) == 1_000_000
        assert box.kinds() == ["received", "received", "landed"]

    run(story, landing(FaultKind.DELAY, 4000))


def test_a_fork_takes_a_processed_transaction_back() -> None:
    async def story(box: Box) -> None:
        key, other = box.wallet(), box.wallet(2)
        fresh = Hash.from_string(str((await box.rpc.get_latest_blockhash(Processed)).value.blockhash))
        box.venue.fund(FRIEND, sol=1)
        await box.blocks(3)
        lost = await box.pay(key, FRIEND, 500)
        kept = await box.pay(other, FRIEND, 70)
        await box.blocks(1)
        signature = await box.send(lost)
        box.venue.fund(FRIEND, sol=1)
        await box.send(kept)
        assert await balance(box) == 2_000_000_570
        assert (await box.status(signature)).confirmation_status == TransactionConfirmationStatus.Processed
        await box.blocks(1)
        assert await box.status(signature) is None
        assert (await box.status(kept.signatures[0])) is not None
        assert await balance(box) == 2_000_000_070
        assert box.kinds() == ["received", "landed", "received", "landed", "forked", "landed"]
        await box.send(lost)  # its blockhash is older than the fork: it may land again
        assert await balance(box) == 2_000_000_570
        assert (await box.call("isBlockhashValid", str(fresh), {"commitment": "processed"}))["result"]["value"] is True

    run(story, landing(FaultKind.FORK))


def test_a_blockhash_of_the_fork_that_died_is_worth_nothing() -> None:
    async def story(box: Box) -> None:
        key = box.wallet()
        await box.blocks(1)
        transaction = await box.pay(key, FRIEND, 1_000_000)
        await box.send(transaction)
        await box.blocks(3)
        assert box.kinds() == ["received", "landed", "forked"]
        with pytest.raises(RPCException) as refused:
            await box.send(transaction)
        assert refused.value.args[0].data.err == TransactionErrorFieldless.BlockhashNotFound

    run(story, landing(FaultKind.FORK, 1200))


def test_a_fork_unmakes_accounts_and_swaps() -> None:
    async def story(box: Box) -> None:
        key = box.wallet(USDC=1_000_000_000)
        supply = {address: box.venue.accounts.get(address) for address in (key.pubkey(), box.venue.pools.address)}
        transaction, _ = await box.swap(await box.quote(USDC, str(box.venue.tokens[3].mint), 1_000_000), key)
        await box.send(transaction)
        assert len(list(box.venue.accounts.of_owner(key.pubkey(), 10**12))) == 2
        await box.blocks(1)
        assert len(list(box.venue.accounts.of_owner(key.pubkey(), 10**12))) == 1
        assert box.venue.accounts.get(key.pubkey()) == supply[key.pubkey()]

    run(story, landing(FaultKind.FORK))


def test_keys_from_a_lookup_table() -> None:
    async def story(box: Box) -> None:
        key = box.wallet()
        table = Pubkey.from_bytes(b"t" * 32)
        header = struct.pack("<IQQB", 1, 2**64 - 1, 0, 0).ljust(56, b"\0")
        program = Pubkey.from_string("AddressLookupTab1e1111111111111111111111111")
        box.venue.accounts.put(table, Account(10**9, header + bytes(FRIEND), program, executable=False, rent_epoch=0))
        blockhash = (await box.rpc.get_latest_blockhash(Processed)).value.blockhash
        move = transfer(TransferParams(from_pubkey=key.pubkey(), to_pubkey=FRIEND, lamports=1_000_000))
        tables = [AddressLookupTableAccount(table, [FRIEND])]
        message = MessageV0.try_compile(key.pubkey(), [move], tables, blockhash)
        assert FRIEND not in message.account_keys
        signature = await box.send(VersionedTransaction(message, [key]))
        await box.blocks(1)
        meta = (await box.transaction(signature)).transaction.meta
        assert meta.loaded_addresses.writable == [FRIEND]
        assert meta.post_balances[-1] - meta.pre_balances[-1] == 1_000_000

    run(story)


def test_it_runs_by_itself() -> None:
    async def story() -> None:
        venue = SolanaVenue(TinyMarket(), RunningClock(START, speed=200), Tape(), Faults(), plans=UNLIMITED)
        addresses = await venue.start()
        async with AsyncClient(addresses.rpc) as rpc:
            signature = (await rpc.request_airdrop(FRIEND, 10**9)).value
            await rpc.confirm_transaction(signature, Finalized, sleep_seconds=0.02)
            assert (await rpc.get_balance(FRIEND)).value == 10**9
        await venue.stop()

    asyncio.run(story())
