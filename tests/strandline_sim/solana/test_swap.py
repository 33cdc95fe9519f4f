"""Swaps with the real client, and their effects on the chain."""

import base64
from typing import Any

import pytest
from solana.rpc.commitment import Confirmed, Finalized, Processed
from solana.rpc.core import RPCException
from solders.instruction import AccountMeta, Instruction
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction
from solders.transaction_status import (
    InstructionErrorCustom,
    TransactionConfirmationStatus,
    TransactionErrorInstructionError,
)

from strandline_sim.solana.swap_program import POOL
from strandline_sim.solana.token_accounts import TOKEN_2022_PROGRAM, TOKEN_PROGRAM, associated_address
from tests.strandline_sim.solana.simulation import BONK, FEE_TOKEN, PYUSD, SOL, USDC, Simulation, deltas, run

RENT = 2_039_280


def test_a_swap_from_quote_to_finalized() -> None:
    async def scenario(sim: Simulation) -> None:
        key = sim.wallet(USDC=1_000_000_000)
        quote = await sim.quote(USDC, BONK, 100_000_000)
        transaction, last_valid = await sim.swap(quote, key)
        signature = await sim.send(transaction)
        assert signature == transaction.signatures[0]
        assert (await sim.status(signature)).confirmation_status == TransactionConfirmationStatus.Processed
        assert await sim.transaction(signature) is None  # not before it is confirmed
        await sim.blocks(1)
        assert (await sim.status(signature)).confirmation_status == TransactionConfirmationStatus.Confirmed
        landed = await sim.transaction(signature)
        moved = deltas(landed, key.pubkey())
        assert moved == {USDC: -100_000_000, BONK: int(quote["outAmount"])}
        meta = landed.transaction.meta
        assert meta.err is None
        assert meta.fee == 5000 + 1_400_000 * 5_000 // 1_000_000
        assert meta.pre_balances[0] - meta.post_balances[0] == meta.fee + RENT
        assert len(meta.inner_instructions) > 0
        await sim.blocks(31)
        status = await sim.status(signature)
        assert status.confirmation_status == TransactionConfirmationStatus.Finalized
        assert status.confirmations is None
        height = (await sim.rpc.get_block_height(Finalized)).value
        assert height < last_valid == 300_000_000 - 1 + 150
        [swap] = [entry for entry in sim.tape.entries(kind="landed") if "swaps" in entry.data]
        assert swap.data["swaps"][0]["arrives"] == quote["outAmount"]

    run(scenario)


def test_a_swap_between_tokens_goes_through_usdc() -> None:
    async def scenario(sim: Simulation) -> None:
        key = sim.wallet(SOL=2_000_000_000)
        quote = await sim.quote(SOL, BONK, 1_000_000_000)
        assert [hop["swapInfo"]["outputMint"] for hop in quote["routePlan"]] == [USDC, BONK]
        transaction, _ = await sim.swap(quote, key, wrapAndUnwrapSol=False)
        signature = await sim.send(transaction)
        await sim.blocks(1)
        moved = deltas(await sim.transaction(signature), key.pubkey())
        assert moved == {SOL: -1_000_000_000, BONK: int(quote["outAmount"])}

    run(scenario)


def test_sol_is_wrapped_and_unwrapped() -> None:
    async def scenario(sim: Simulation) -> None:
        key = sim.wallet(sol=5)
        there, _ = await sim.swap(await sim.quote(SOL, USDC, 1_000_000_000), key)
        await sim.send(there)
        await sim.blocks(1)
        usdc = deltas(await sim.transaction(there.signatures[0]), key.pubkey())[USDC]
        quote = await sim.quote(USDC, SOL, usdc)
        back, _ = await sim.swap(quote, key)
        await sim.send(back)
        await sim.blocks(1)
        meta = (await sim.transaction(back.signatures[0])).transaction.meta
        assert meta.post_balances[0] - meta.pre_balances[0] + meta.fee == int(quote["outAmount"])
        wrapped = associated_address(key.pubkey(), Pubkey.from_string(SOL), TOKEN_PROGRAM)
        assert (await sim.rpc.get_account_info(wrapped, Confirmed)).value is None

    run(scenario)


@pytest.mark.parametrize("mint", [PYUSD, str(FEE_TOKEN.mint)])
def test_tokens_of_token_2022(mint: str) -> None:
    async def scenario(sim: Simulation) -> None:
        key = sim.wallet(USDC=1_000_000_000)
        quote = await sim.quote(USDC, mint, 200_000_000)
        there, _ = await sim.swap(quote, key)
        await sim.send(there)
        await sim.blocks(1)
        got = deltas(await sim.transaction(there.signatures[0]), key.pubkey())[mint]
        assert got == int(quote["outAmount"])
        address = associated_address(key.pubkey(), Pubkey.from_string(mint), TOKEN_2022_PROGRAM)
        account = (await sim.rpc.get_account_info(address, Confirmed)).value
        assert account is not None
        assert account.owner == TOKEN_2022_PROGRAM
        assert len(account.data) >= 170
        quote = await sim.quote(mint, USDC, got)
        back, _ = await sim.swap(quote, key)
        await sim.send(back)
        await sim.blocks(1)
        moved = deltas(await sim.transaction(back.signatures[0]), key.pubkey())
        assert moved == {mint: -got, USDC: int(quote["outAmount"])}
        worth = 1_000_000_000 - 200_000_000 + moved[USDC]
        assert worth < (996_100_000 if mint == str(FEE_TOKEN.mint) else 1_000_000_000)  # a fee of 1 % each way

    run(scenario)


def test_a_larger_swap_gets_a_worse_price() -> None:
    async def scenario(sim: Simulation) -> None:
        quotes = [await sim.quote(USDC, BONK, size * 1_000_000) for size in (10, 1_000, 100_000)]
        rates = [int(quote["outAmount"]) / int(quote["inAmount"]) for quote in quotes]
        impacts = [float(quote["priceImpactPct"]) for quote in quotes]
        assert rates == sorted(rates, reverse=True)
        assert impacts == sorted(impacts)
        assert impacts[0] < 0.0001
        assert 0.03 < impacts[2] < 0.06  # 100,000 into a pool with 2,000,000 on each side

    run(scenario)


def test_a_swap_below_its_threshold_fails_on_chain_and_costs_the_fee() -> None:
    async def scenario(sim: Simulation) -> None:
        key = sim.wallet(USDC=1_000_000_000)
        first, _ = await sim.swap(await sim.quote(USDC, SOL, 100_000_000), key)
        await sim.send(first)  # makes the accounts
        await sim.blocks(1)
        transaction, _ = await sim.swap(await sim.quote(USDC, BONK, 100_000_000, slippage=10), key)
        sim.market.prices["BONK"] *= 2
        with pytest.raises(RPCException) as refused:
            await sim.send(transaction)
        failure = refused.value.args[0]
        assert "custom program error: 0x1771" in failure.message
        assert failure.data.err == TransactionErrorInstructionError(
            failure.data.err.index, InstructionErrorCustom(6001)
        )
        assert any("Slippage tolerance exceeded" in line for line in failure.data.logs)
        before = (await sim.rpc.get_balance(key.pubkey(), Processed)).value
        signature = await sim.send(transaction, skip_preflight=True)
        await sim.blocks(1)
        landed = await sim.transaction(signature)
        meta = landed.transaction.meta
        assert meta.err == TransactionErrorInstructionError(3, InstructionErrorCustom(6001))
        assert deltas(landed, key.pubkey()) == {USDC: 0}
        assert (await sim.rpc.get_balance(key.pubkey(), Processed)).value == before - meta.fee
        [failed] = sim.tape.entries(kind="failed")
        assert failed.data["error"] == '{"InstructionError":[3,{"Custom":6001}]}'
        assert failed.data["lamports"] == {str(key.pubkey()): str(-meta.fee)}
        assert failed.data["tokens"] == []

    run(scenario)


def test_a_stale_quote_fails_where_the_market_has_moved() -> None:
    async def scenario(sim: Simulation) -> None:
        key = sim.wallet(USDC=1_000_000_000)
        at_once, _ = await sim.swap(await sim.quote(USDC, BONK, 50_000_000, slippage=0), key)
        assert (await sim.status(await sim.send(at_once))).err is None
        transaction, _ = await sim.swap(await sim.quote(USDC, BONK, 100_000_000, slippage=0), key)
        await sim.blocks(1)  # the tiny market wobbles up by a thousandth of a percent
        signature = await sim.send(transaction, skip_preflight=True)
        assert (await sim.status(signature)).err is not None

    run(scenario)


def test_a_forged_pool_is_refused() -> None:
    async def scenario(sim: Simulation) -> None:
        key = sim.wallet(USDC=1_000_000_000)
        built, _ = await sim.swap(await sim.quote(USDC, BONK, 1_000_000), key)
        *setup, swap = instructions_of(built)
        accounts = list(swap.accounts)
        accounts[POOL] = AccountMeta(key.pubkey(), is_signer=True, is_writable=True)
        honest = await sim.send(await sim.compose(key, [*setup, swap]), skip_preflight=True)
        assert (await sim.status(honest)).err is None
        await sim.blocks(1)
        forged = Instruction(swap.program_id, bytes(swap.data), accounts)
        signature = await sim.send(await sim.compose(key, [*setup, forged]), skip_preflight=True)
        assert (await sim.status(signature)).err is not None

    run(scenario)


@pytest.mark.parametrize("name_of_the_user", ["taker", "userPublicKey"])
def test_instructions_can_be_composed_by_the_client(name_of_the_user: str) -> None:
    async def scenario(sim: Simulation) -> None:
        key = sim.wallet(USDC=1_000_000_000)
        quote = await sim.quote(USDC, SOL, 50_000_000)
        body = {"quoteResponse": quote, name_of_the_user: str(key.pubkey())}
        parts = await sim.post("/swap/v2/swap-instructions", body)
        names = ("computeBudgetInstructions", "setupInstructions", "otherInstructions")
        budget, setup, other = ([instruction(one) for one in parts[name]] for name in names)
        swap, cleanup = instruction(parts["swapInstruction"]), instruction(parts["cleanupInstruction"])
        transaction = await sim.compose(key, [*budget, *setup, swap, cleanup, *other])
        signature = await sim.send(transaction)
        await sim.blocks(1)
        landed = await sim.transaction(signature)
        assert deltas(landed, key.pubkey()) == {USDC: -50_000_000}
        meta = landed.transaction.meta
        assert meta.post_balances[0] - meta.pre_balances[0] + meta.fee == int(quote["outAmount"])
        assert parts["tipInstruction"] is None
        assert parts["addressLookupTableAddresses"] == []
        assert parts["blockhashWithMetadata"]["lastValidBlockHeight"] == 300_000_000 - 1 + 150
        labels = await sim.get("/swap/v2/program-id-to-label")
        assert str(swap.program_id) in labels

    run(scenario)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/swap/v1/quote"), ("POST", "/swap/v1/swap"), ("GET", "/swap/v2/order"), ("POST", "/swap/v2/execute")],
)
def test_unsupported_apis_are_not_found(method: str, path: str) -> None:
    async def scenario(sim: Simulation) -> None:
        async with sim.http.request(method, sim.jupiter_url + path) as answer:
            assert answer.status == 404

    run(scenario)


def instruction(parts: dict[str, Any]) -> Instruction:
    """An instruction from Jupiter's JSON."""
    accounts = [
        AccountMeta(Pubkey.from_string(one["pubkey"]), one["isSigner"], one["isWritable"]) for one in parts["accounts"]
    ]
    return Instruction(Pubkey.from_string(parts["programId"]), base64.b64decode(parts["data"]), accounts)


def instructions_of(transaction: VersionedTransaction) -> list[Instruction]:
    """The instructions of a transaction without lookup tables, to be changed and compiled again."""
    message = transaction.message
    assert isinstance(message, MessageV0)
    keys = message.account_keys
    signers = message.header.num_required_signatures
    metas = [AccountMeta(key, place < signers, message.is_maybe_writable(place)) for place, key in enumerate(keys)]
    return [
        Instruction(keys[one.program_id_index], bytes(one.data), [metas[place] for place in one.accounts])
        for one in message.instructions
    ]
