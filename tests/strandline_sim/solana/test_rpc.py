"""JSON-RPC with the real client, and as raw requests."""

import asyncio
import base64
import json
from typing import Any

import pytest
from solana.exceptions import SolanaRpcException
from solana.rpc.commitment import Confirmed, Finalized, Processed
from solana.rpc.core import RPCException
from solana.rpc.models import DataSliceOpts, TokenAccountOpts
from solders.account import Account
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.rpc.responses import GetAccountInfoResp, GetMultipleAccountsResp
from solders.system_program import TransferParams, transfer
from solders.transaction import Transaction, VersionedTransaction
from spl.token.instructions import create_idempotent_associated_token_account

from strandline_sim.faults import FaultKind, Rule
from strandline_sim.solana.encoding import base58, from_base58
from strandline_sim.solana.token_accounts import TOKEN_2022_PROGRAM, TOKEN_PROGRAM, associated_address
from tests.strandline_sim.solana.simulation import FEE_TOKEN, PYUSD, USDC, Simulation, run

RECIPIENT = Keypair.from_seed(b"f" * 32).pubkey()


@pytest.mark.parametrize("data", [b"", b"\0\0a", b"\xff" * 64, bytes(range(32))])
def test_base58(data: bytes) -> None:
    assert from_base58(base58(data)) == data
    if len(data) == 32:
        assert base58(data) == str(Pubkey.from_bytes(data))


def test_node_information() -> None:
    async def scenario(sim: Simulation) -> None:
        assert (await sim.call("getHealth"))["result"] == "ok"
        assert (await sim.rpc.get_version()).value.solana_core
        assert str((await sim.rpc.get_genesis_hash()).value) == (await sim.call("getGenesisHash"))["result"]
        slot, height = (await sim.rpc.get_slot(Processed)).value, (await sim.rpc.get_block_height(Processed)).value
        assert (slot, height) == (320_000_000, 300_000_000)
        assert (await sim.rpc.get_minimum_balance_for_rent_exemption(165)).value == 2_039_280
        assert (await sim.rpc.get_minimum_balance_for_rent_exemption(82)).value == 1_461_600

    run(scenario)


def test_accounts_and_balances() -> None:
    async def scenario(sim: Simulation) -> None:
        key = sim.wallet(USDC=1_500_000, PYUSD=7)
        owner = key.pubkey()
        usdc = associated_address(owner, Pubkey.from_string(USDC), TOKEN_PROGRAM)
        balance = (await sim.rpc.get_token_account_balance(usdc)).value
        assert (balance.amount, balance.decimals, balance.ui_amount_string) == ("1500000", 6, "1.5")
        for opts in (TokenAccountOpts(mint=Pubkey.from_string(USDC)), TokenAccountOpts(program_id=TOKEN_PROGRAM)):
            [found] = (await sim.rpc.get_token_accounts_by_owner(owner, opts)).value
            assert found.pubkey == usdc
        newer = [str(owner), {"programId": str(TOKEN_2022_PROGRAM)}, {"encoding": "jsonParsed"}]
        [parsed] = (await sim.call("getTokenAccountsByOwner", *newer))["result"]["value"]
        info = parsed["account"]["data"]["parsed"]["info"]
        assert (info["tokenAmount"]["amount"], info["mint"]) == ("7", PYUSD)
        mint = await sim.call("getAccountInfo", USDC, {"encoding": "jsonParsed"})
        assert mint["result"]["value"]["data"]["parsed"]["info"]["decimals"] == 6
        assert (await sim.rpc.get_account_info_json_parsed(usdc)).value is not None
        piece = (await sim.rpc.get_account_info(usdc, data_slice=DataSliceOpts(offset=32, length=32))).value
        assert piece is not None
        assert piece.data == bytes(owner)
        several = (await sim.rpc.get_multiple_accounts([owner, RECIPIENT, usdc])).value
        assert [account is not None for account in several] == [True, False, True]
        assert (await sim.rpc.get_balance(RECIPIENT)).value == 0
        with pytest.raises(RPCException, match="could not find account"):
            await sim.rpc.get_token_account_balance(RECIPIENT)
        with pytest.raises(RPCException, match="not a Token account"):
            await sim.rpc.get_token_account_balance(owner)
        short = await sim.call("getAccountInfo", str(owner))
        assert short["result"]["value"]["data"] == ""
        assert (await sim.call("getAccountInfo", str(usdc)))["error"]["code"] == -32600  # too long for base 58

    run(scenario)


@pytest.mark.parametrize("size", [0, 1, 128 * 1024, 128 * 1024 + 1, 300_000])
def test_accounts_as_zstd(size: int) -> None:
    """The client library decompresses with the real Zstandard."""

    async def scenario(sim: Simulation) -> None:
        data = bytes(number % 251 for number in range(size))
        sim.venue.accounts.put(RECIPIENT, Account(1, data, TOKEN_PROGRAM, executable=False, rent_epoch=0))
        answer = await sim.call("getAccountInfo", str(RECIPIENT), {"encoding": "base64+zstd"})
        assert answer["result"]["value"]["data"][1] == "base64+zstd"
        account = GetAccountInfoResp.from_json(json.dumps(answer))
        assert isinstance(account, GetAccountInfoResp)
        assert account.value is not None
        assert account.value.data == data
        piece = {"encoding": "base64+zstd", "dataSlice": {"offset": 0, "length": 1}}
        answer = await sim.call("getMultipleAccounts", [str(RECIPIENT)], piece)
        several = GetMultipleAccountsResp.from_json(json.dumps(answer))
        assert isinstance(several, GetMultipleAccountsResp)
        assert [one and one.data for one in several.value] == [data[:1]]

    run(scenario)


def test_the_supply_of_a_token() -> None:
    async def scenario(sim: Simulation) -> None:
        mint = Pubkey.from_string(USDC)
        before = (await sim.rpc.get_token_supply(mint)).value
        sim.wallet(USDC=1_500_000)
        after = (await sim.rpc.get_token_supply(mint)).value
        assert int(after.amount) - int(before.amount) == 1_500_000
        assert (before.decimals, before.ui_amount_string) == (6, str(int(before.amount) // 10**6))

    run(scenario)


def test_the_epoch() -> None:
    async def scenario(sim: Simulation) -> None:
        key = sim.wallet()
        for lamports in (1_000_000, 10**12):  # the second fails, after its fee
            await sim.send(await sim.pay(key, RECIPIENT, lamports), skip_preflight=True)
            await sim.blocks(1)
        epoch = (await sim.rpc.get_epoch_info(Processed)).value
        assert (epoch.absolute_slot, epoch.block_height) == (320_000_002, 300_000_002)
        assert (epoch.epoch, epoch.slot_index, epoch.slots_in_epoch) == (740, 320_002, 432_000)
        counts = [(await sim.rpc.get_epoch_info(at)).value.transaction_count for at in (Processed, Finalized)]
        assert counts == [2, 0]

    run(scenario)


def test_times_of_blocks() -> None:
    async def scenario(sim: Simulation) -> None:
        await sim.blocks(60)

        async def time_of(slot: int) -> object:
            answer = await sim.call("getBlockTime", 320_000_000 + slot)
            return answer["result"] if "result" in answer else answer["error"]["code"]

        # Every fifth slot has no block: that is an error once it is final, and null before.
        answers = [await time_of(slot) for slot in (0, 1, 3, 5, 15, 20, 59, 60, 61)]
        first = 1_760_000_000
        assert answers == [first, first, first + 1, -32007, -32007, None, first + 23, None, None]
        assert (await sim.rpc.get_block_time(320_000_003)).value == first + 1
        sim.faults.add(rpc_fault("getBlockTime", FaultKind.CLOCK_SKEW, -90_000))
        assert await time_of(3) == first + 1 - 90
        sim.faults.add(rpc_fault("getBlockTime", FaultKind.PRUNED, 10 * 400))
        refused = (await sim.call("getBlockTime", 320_000_003))["error"]
        assert refused["message"].endswith("First available block: 320000049")
        assert refused["code"] == -32001

    run(scenario, skip_every=5)


def test_fees() -> None:
    async def scenario(sim: Simulation) -> None:
        key = sim.wallet()
        blockhash = (await sim.rpc.get_latest_blockhash(Processed)).value.blockhash
        move = transfer(TransferParams(from_pubkey=key.pubkey(), to_pubkey=RECIPIENT, lamports=1_000_000))
        budget = [set_compute_unit_limit(1000), set_compute_unit_price(1_234_567)]
        create = create_idempotent_associated_token_account(key.pubkey(), RECIPIENT, Pubkey.from_string(USDC))
        composed = ([move], [*budget, move], [budget[1], move, move], [budget[1], create, move], [create])
        message = MessageV0.try_compile(key.pubkey(), [move], [], Hash.default())
        for instructions in composed:
            message = MessageV0.try_compile(key.pubkey(), instructions, [], blockhash)
            fee = (await sim.rpc.get_fee_for_message(message, Processed)).value
            signature = await sim.send(VersionedTransaction(message, [key]))
            await sim.blocks(1)
            assert (await sim.transaction(signature)).transaction.meta.fee == fee
        recent = (await sim.rpc.get_recent_prioritization_fees()).value
        assert len(recent) == 150
        assert [one.prioritization_fee for one in recent[-6:]] == [0, 1_234_567, 1_234_567, 1_234_567, 0, 0]
        await sim.blocks(151)
        assert (await sim.rpc.get_fee_for_message(message, Processed)).value is None

    run(scenario)


def test_transactions_in_each_encoding() -> None:
    async def scenario(sim: Simulation) -> None:
        key = sim.wallet()
        signature = await sim.send(await sim.pay(key, RECIPIENT, 1_000_000))
        await sim.blocks(1)
        for encoding in ("json", "base64"):
            answer = await sim.rpc.get_transaction(signature, encoding, Confirmed, 0)
            assert answer.value is not None
            meta = answer.value.transaction.meta
            assert meta is not None
            assert meta.fee == 5000
            assert answer.value.block_time == 1_760_000_000
        config = {"commitment": "confirmed"}
        refused = await sim.call("getTransaction", str(signature), config)
        assert refused["error"]["code"] == -32015
        assert (await sim.call("getTransaction", str(signature), {"commitment": "processed"}))["error"][
            "code"
        ] == -32602
        blockhash = (await sim.rpc.get_latest_blockhash(Processed)).value.blockhash
        move = transfer(TransferParams(from_pubkey=key.pubkey(), to_pubkey=RECIPIENT, lamports=7))
        legacy = Transaction([key], Message.new_with_blockhash([move], key.pubkey(), blockhash), blockhash)
        answer = await sim.call("sendTransaction", base58(bytes(legacy)), {"preflightCommitment": "processed"})
        await sim.blocks(1)
        described = (await sim.call("getTransaction", answer["result"], config))["result"]
        assert "version" not in described
        assert described["transaction"]["message"]["instructions"][0]["data"]
        page = (await sim.rpc.get_signatures_for_address(RECIPIENT, limit=1, commitment=Confirmed)).value
        assert [str(one.signature) for one in page] == [answer["result"]]
        rest = (
            await sim.rpc.get_signatures_for_address(RECIPIENT, before=page[0].signature, commitment=Confirmed)
        ).value
        assert [one.signature for one in rest] == [signature]

    run(scenario)


def test_simulation() -> None:
    async def scenario(sim: Simulation) -> None:
        key = sim.wallet()
        transaction = await sim.pay(key, RECIPIENT, 1_000_000)
        answer = (await sim.rpc.simulate_transaction(transaction, sig_verify=True, commitment=Processed)).value
        assert (answer.err, answer.units_consumed) == (None, 150)
        assert (await sim.rpc.get_balance(RECIPIENT, Processed)).value == 0
        too_much = await sim.pay(key, RECIPIENT, 10**12)
        assert (await sim.rpc.simulate_transaction(too_much, commitment=Processed)).value.err is not None
        await sim.blocks(200)
        assert (await sim.rpc.simulate_transaction(transaction)).value.err is not None
        fresh = (await sim.rpc.simulate_transaction(transaction, replace_recent_blockhash=True)).value
        assert fresh.err is None
        wanted = {"encoding": "base64", "addresses": [str(RECIPIENT)]}
        options = {"encoding": "base64", "replaceRecentBlockhash": True, "accounts": wanted}
        raw = base64.b64encode(bytes(transaction)).decode()
        value = (await sim.call("simulateTransaction", raw, options))["result"]["value"]
        assert value["accounts"][0]["lamports"] == 1_000_000
        assert value["replacementBlockhash"]["lastValidBlockHeight"] > 300_000_150

    run(scenario)


def test_airdrop() -> None:
    async def scenario(sim: Simulation) -> None:
        signature = (await sim.rpc.request_airdrop(RECIPIENT, 5)).value
        assert (await sim.status(signature)).err is not None  # too little for the rent
        await sim.rpc.request_airdrop(RECIPIENT, 10**9)
        await sim.blocks(32)
        assert (await sim.rpc.get_balance(RECIPIENT)).value == 10**9
        refused = await sim.call("requestAirdrop", str(RECIPIENT), 10**15)
        assert refused["error"]["code"] == -32602

    run(scenario)


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("getNothing", [], -32601),
        ("getBalance", [], -32602),
        ("getBalance", ["not an address"], -32602),
        ("getBalance", [USDC, {"commitment": "soon"}], -32602),
        ("getBalance", [USDC, 7], -32602),
        ("getBalance", [USDC, {"minContextSlot": 400_000_000}], -32016),
        ("getMultipleAccounts", [[USDC] * 101], -32602),
        ("getSignatureStatuses", [["x"] * 257], -32602),
        ("getTokenAccountsByOwner", [USDC, {"mint": str(RECIPIENT)}], -32602),
        ("getTokenAccountsByOwner", [USDC, {"programId": str(RECIPIENT)}], -32602),
        ("getTokenAccountsByOwner", [USDC, {}], -32602),
        ("getAccountInfo", [USDC, {"encoding": "base64+lz4"}], -32602),
        ("getTokenSupply", [], -32602),
        ("getTokenSupply", [str(RECIPIENT)], -32602),
        ("getTokenSupply", [str(TOKEN_PROGRAM)], -32602),
        ("getBlockTime", [], -32602),
        ("getBlockTime", ["320000000"], -32602),
        ("getBlockTime", [True], -32602),
        ("getBlockTime", [-1], -32602),
        ("getBlockTime", [319_999_999], -32001),
        ("sendTransaction", ["!"], -32602),
        ("sendTransaction", ["AAAA", {"encoding": "base64"}], -32602),
        ("sendTransaction", ["A" * 1648, {"encoding": "base64"}], -32602),
        ("getFeeForMessage", ["AAAA"], -32602),
        ("isBlockhashValid", ["?"], -32602),
        ("getMinimumBalanceForRentExemption", ["much"], -32602),
    ],
)
def test_refusals(method: str, params: list[Any], code: int) -> None:
    async def scenario(sim: Simulation) -> None:
        answer = await sim.call(method, *params)
        assert answer["error"]["code"] == code
        if code == -32016:
            assert answer["error"]["data"]["contextSlot"] < 400_000_000

    run(scenario)


def test_batches_and_invalid_calls() -> None:
    async def scenario(sim: Simulation) -> None:
        calls = [{"jsonrpc": "2.0", "id": number, "method": "getSlot", "params": []} for number in range(3)]
        async with sim.http.post(sim.rpc_url, json=[*calls, {"jsonrpc": "2.0", "id": 9, "method": "nope"}]) as answer:
            results = await answer.json()
        assert [one["id"] for one in results] == [0, 1, 2, 9]
        assert ["result" in one for one in results] == [True, True, True, False]
        for body, code in ((b"{", -32700), (b"7", -32600), (b'{"method":"getSlot"}', -32600)):
            async with sim.http.post(sim.rpc_url, data=body) as answer:
                assert (await answer.json())["error"]["code"] == code
        named = {"jsonrpc": "2.0", "id": 1, "method": "getSlot", "params": {"commitment": "processed"}}
        async with sim.http.post(sim.rpc_url, json=named) as answer:
            assert (await answer.json())["error"]["code"] == -32602

    run(scenario)


def rpc_fault(method: str, kind: FaultKind, value: float = 0, times: int | None = 1) -> Rule:
    """Make a fault of an RPC method."""
    return Rule(route=f"solana/rpc/{method}", kind=kind, value=value, times=times)


def test_a_node_that_is_behind() -> None:
    async def scenario(sim: Simulation) -> None:
        key = sim.wallet()
        signature = await sim.send(await sim.pay(key, RECIPIENT, 1_000_000))
        await sim.blocks(40)
        for method in ("getHealth", "sendTransaction", "getBalance", "getSignatureStatuses"):
            sim.faults.add(rpc_fault(method, FaultKind.NODE_BEHIND, 50))
        health = await sim.call("getHealth")
        assert health["error"] == {
            "code": -32005,
            "message": "Node is behind by 50 slots",
            "data": {"numSlotsBehind": 50},
        }
        with pytest.raises(RPCException, match="behind"):
            await sim.send(await sim.pay(key, RECIPIENT, 5))
        answer = await sim.rpc.get_balance(RECIPIENT, Confirmed)
        assert answer.value == 0
        assert answer.context.slot == 320_000_000 + 40 - 1 - 50
        assert await sim.status(signature) is None
        assert (await sim.rpc.get_balance(RECIPIENT, Confirmed)).value == 1_000_000

    run(scenario)


def test_a_status_that_lags() -> None:
    async def scenario(sim: Simulation) -> None:
        signature = await sim.send(await sim.pay(sim.wallet(), RECIPIENT, 1_000_000))
        assert [await sim.status(signature) is None for _ in range(4)] == [True, True, True, False]

    run(scenario, rpc_fault("getSignatureStatuses", FaultKind.LAG, times=3))


def test_a_pruned_node_does_not_know_old_transactions() -> None:
    async def scenario(sim: Simulation) -> None:
        key = sim.wallet()
        old = await sim.send(await sim.pay(key, RECIPIENT, 1_000_000))
        await sim.blocks(1_000)
        new = await sim.send(await sim.pay(key, RECIPIENT, 2_000_000))
        await sim.blocks(40)

        async def known() -> list[object]:
            searched = await sim.call("getSignatureStatuses", [str(old), str(new)], {"searchTransactionHistory": True})
            listed = (await sim.rpc.get_signatures_for_address(RECIPIENT)).value
            return [
                [status is not None for status in searched["result"]["value"]],
                [await sim.transaction(signature) is not None for signature in (old, new)],
                [line.signature for line in listed],
                (await sim.call("getFirstAvailableBlock"))["result"],
                (await sim.call("minimumLedgerSlot"))["result"],
            ]

        assert await known() == [[True, True], [True, True], [new, old], 320_000_000, 320_000_000]
        # 100 blocks are kept; of the newest 182 the statuses are known in any case.
        sim.faults.add(Rule(route="solana/rpc/*", kind=FaultKind.PRUNED, times=None, value=100 * 400))
        first = 320_000_000 + 1_040 - 100
        assert await known() == [[False, True], [False, True], [new], first, first]

    run(scenario)


def test_a_response_lost_after_landing() -> None:
    async def scenario(sim: Simulation) -> None:
        key = sim.wallet()
        for number, kind in enumerate((FaultKind.DROP_ANSWER, FaultKind.STATUS_AFTER, FaultKind.MALFORMED)):
            transaction = await sim.pay(key, RECIPIENT, 1_000_000 + number)
            sim.faults.add(rpc_fault("sendTransaction", kind, 502))
            with pytest.raises(Exception):  # noqa: B017, PT011  each kind has another error; the client learns nothing
                await sim.send(transaction)
            assert await sim.status(transaction.signatures[0]) is not None
        lost = await sim.pay(key, RECIPIENT, 9)
        sim.faults.add(rpc_fault("sendTransaction", FaultKind.STATUS, 429))
        with pytest.raises(SolanaRpcException):
            await sim.send(lost)
        assert await sim.status(lost.signatures[0]) is None
        sim.faults.add(rpc_fault("sendTransaction", FaultKind.ANSWER_TWICE))
        twice = await sim.pay(key, RECIPIENT, 10)
        with pytest.raises(RPCException):  # the second delivery is refused as already processed
            await sim.send(twice)
        assert await sim.status(twice.signatures[0]) is not None

    run(scenario)


def test_clock_skew_of_a_node() -> None:
    async def scenario(sim: Simulation) -> None:
        signature = await sim.send(await sim.pay(sim.wallet(), RECIPIENT, 1_000_000))
        await sim.blocks(1)
        assert (await sim.transaction(signature)).block_time == 1_760_000_000 - 90

    run(scenario, rpc_fault("getTransaction", FaultKind.CLOCK_SKEW, -90_000))


def test_old_statuses_need_search_transaction_history() -> None:
    async def scenario(sim: Simulation) -> None:
        signature = await sim.send(await sim.pay(sim.wallet(), RECIPIENT, 1_000_000))
        await sim.blocks(200)
        assert await sim.status(signature) is None
        found = await sim.rpc.get_signature_statuses([signature], search_transaction_history=True)
        assert found.value[0] is not None

    run(scenario)


def test_withheld_fees_are_not_in_the_balance() -> None:
    async def scenario(sim: Simulation) -> None:
        key = sim.wallet(USDC=10**9)
        quote = await sim.quote(USDC, str(FEE_TOKEN.mint), 10**6)
        transaction, _ = await sim.swap(quote, key)
        await sim.send(transaction)
        account = associated_address(key.pubkey(), FEE_TOKEN.mint, TOKEN_2022_PROGRAM)
        assert (await sim.rpc.get_token_account_balance(account, Processed)).value.amount == quote["outAmount"]

    run(scenario)


@pytest.mark.parametrize("method", ["sendTransaction", "simulateTransaction"])
@pytest.mark.parametrize(("encoding", "longest"), [("base58", 1683), ("base64", 1644)])
def test_text_too_long_for_a_transaction_is_not_decoded(method: str, encoding: str, longest: int) -> None:
    """Decoding 400,000 letters of base 58 would keep every client of the process waiting for half a minute."""

    async def scenario(sim: Simulation) -> None:
        answer = await sim.call(method, "2" * (longest + 1), {"encoding": encoding})
        assert answer["error"]["code"] == -32602
        assert f"{encoding} encoded solana_transaction too large: {longest + 1} bytes" in answer["error"]["message"]
        largest = (base58 if encoding == "base58" else lambda data: base64.b64encode(data).decode())(b"\xff" * 1232)
        assert len(largest) <= longest
        answer = await sim.call(method, largest, {"encoding": encoding})
        assert "failed to deserialize" in answer["error"]["message"]
        answer = await sim.call(method, "A", {"encoding": "base85"})
        assert "unsupported encoding: base85" in answer["error"]["message"]

    run(scenario)


def test_a_long_batch_lets_others_in_between() -> None:
    async def scenario(sim: Simulation) -> None:
        turns = 0

        async def count_turns() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        counting = asyncio.create_task(count_turns())
        calls = [{"jsonrpc": "2.0", "id": number, "method": "getHealth"} for number in range(500)]
        async with sim.http.post(sim.rpc_url, json=calls) as response:
            answers = await response.json()
        counting.cancel()
        assert [answer["id"] for answer in answers] == list(range(500))
        assert turns > 500

    run(scenario)
