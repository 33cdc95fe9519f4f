"""JSON-RPC through the real client, method by method, and as bytes."""

import base64
from typing import Any

import pytest
from solana.exceptions import SolanaRpcException
from solana.rpc.commitment import Confirmed, Processed
from solana.rpc.core import RPCException
from solana.rpc.models import DataSliceOpts, TokenAccountOpts
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import Transaction, VersionedTransaction
from spl.token.instructions import create_idempotent_associated_token_account

from strandline_sim.faults import FaultKind, Rule
from strandline_sim.solana.encoding import base58, from_base58
from strandline_sim.solana.token_accounts import TOKEN_2022_PROGRAM, TOKEN_PROGRAM, associated_address
from tests.strandline_sim.solana.box import PYUSD, TOLL, USDC, Box, run

FRIEND = Keypair.from_seed(b"f" * 32).pubkey()


@pytest.mark.parametrize("data", [b"", b"\0\0a", b"\xff" * 64, bytes(range(32))])
def test_base58(data: bytes) -> None:
    assert from_base58(base58(data)) == data
    if len(data) == 32:
        assert base58(data) == str(Pubkey.from_bytes(data))


def test_the_node() -> None:
    async def story(box: Box) -> None:
        assert (await box.call("getHealth"))["result"] == "ok"
        assert (await box.rpc.get_version()).value.solana_core
        assert str((await box.rpc.get_genesis_hash()).value) == (await box.call("getGenesisHash"))["result"]
        slot, height = (await box.rpc.get_slot(Processed)).value, (await box.rpc.get_block_height(Processed)).value
        assert (slot, height) == (320_000_000, 300_000_000)
        assert (await box.rpc.get_minimum_balance_for_rent_exemption(165)).value == 2_039_280
        assert (await box.rpc.get_minimum_balance_for_rent_exemption(82)).value == 1_461_600

    run(story)


def test_accounts_and_balances() -> None:
    async def story(box: Box) -> None:
        key = box.wallet(USDC=1_500_000, PYUSD=7)
        owner = key.pubkey()
        usdc = associated_address(owner, Pubkey.from_string(USDC), TOKEN_PROGRAM)
        balance = (await box.rpc.get_token_account_balance(usdc)).value
        assert (balance.amount, balance.decimals, balance.ui_amount_string) == ("1500000", 6, "1.5")
        for opts in (TokenAccountOpts(mint=Pubkey.from_string(USDC)), TokenAccountOpts(program_id=TOKEN_PROGRAM)):
            [found] = (await box.rpc.get_token_accounts_by_owner(owner, opts)).value
            assert found.pubkey == usdc
        newer = [str(owner), {"programId": str(TOKEN_2022_PROGRAM)}, {"encoding": "jsonParsed"}]
        [parsed] = (await box.call("getTokenAccountsByOwner", *newer))["result"]["value"]
        info = parsed["account"]["data"]["parsed"]["info"]
        assert (info["tokenAmount"]["amount"], info["mint"]) == ("7", PYUSD)
        mint = await box.call("getAccountInfo", USDC, {"encoding": "jsonParsed"})
        assert mint["result"]["value"]["data"]["parsed"]["info"]["decimals"] == 6
        assert (await box.rpc.get_account_info_json_parsed(usdc)).value is not None
        piece = (await box.rpc.get_account_info(usdc, data_slice=DataSliceOpts(offset=32, length=32))).value
        assert piece is not None
        assert piece.data == bytes(owner)
        several = (await box.rpc.get_multiple_accounts([owner, FRIEND, usdc])).value
        assert [account is not None for account in several] == [True, False, True]
        assert (await box.rpc.get_balance(FRIEND)).value == 0
        with pytest.raises(RPCException, match="could not find account"):
            await box.rpc.get_token_account_balance(FRIEND)
        with pytest.raises(RPCException, match="not a Token account"):
            await box.rpc.get_token_account_balance(owner)
        short = await box.call("getAccountInfo", str(owner))
        assert short["result"]["value"]["data"] == ""
        assert (await box.call("getAccountInfo", str(usdc)))["error"]["code"] == -32600  # too long for base 58

    run(story)


def test_fees() -> None:
    async def story(box: Box) -> None:
        key = box.wallet()
        blockhash = (await box.rpc.get_latest_blockhash(Processed)).value.blockhash
        move = transfer(TransferParams(from_pubkey=key.pubkey(), to_pubkey=FRIEND, lamports=1_000_000))
        budget = [set_compute_unit_limit(1000), set_compute_unit_price(1_234_567)]
        create = create_idempotent_associated_token_account(key.pubkey(), FRIEND, Pubkey.from_string(USDC))
        composed = ([move], [*budget, move], [budget[1], move, move], [budget[1], create, move], [create])
        message = MessageV0.try_compile(key.pubkey(), [move], [], Hash.default())
        for instructions in composed:
            message = MessageV0.try_compile(key.pubkey(), instructions, [], blockhash)
            fee = (await box.rpc.get_fee_for_message(message, Processed)).value
            signature = await box.send(VersionedTransaction(message, [key]))
            await box.blocks(1)
            assert (await box.transaction(signature)).transaction.meta.fee == fee
        recent = (await box.rpc.get_recent_prioritization_fees()).value
        assert len(recent) == 150
        assert [one.prioritization_fee for one in recent[-6:]] == [0, 1_234_567, 1_234_567, 1_234_567, 0, 0]
        await box.blocks(151)
        assert (await box.rpc.get_fee_for_message(message, Processed)).value is None

    run(story)


def test_transactions_in_each_encoding() -> None:
    async def story(box: Box) -> None:
        key = box.wallet()
        signature = await box.send(await box.pay(key, FRIEND, 1_000_000))
        await box.blocks(1)
        for encoding in ("json", "base64"):
            answer = await box.rpc.get_transaction(signature, encoding, Confirmed, 0)
            assert answer.value is not None
            meta = answer.value.transaction.meta
            assert meta is not None
            assert meta.fee == 5000
            assert answer.value.block_time == 1_760_000_000
        config = {"commitment": "confirmed"}
        refused = await box.call("getTransaction", str(signature), config)
        assert refused["error"]["code"] == -32015
        assert (await box.call("getTransaction", str(signature), {"commitment": "processed"}))["error"][
            "code"
        ] == -32602
        blockhash = (await box.rpc.get_latest_blockhash(Processed)).value.blockhash
        move = transfer(TransferParams(from_pubkey=key.pubkey(), to_pubkey=FRIEND, lamports=7))
        legacy = Transaction([key], Message.new_with_blockhash([move], key.pubkey(), blockhash), blockhash)
        answer = await box.call("sendTransaction", base58(bytes(legacy)), {"preflightCommitment": "processed"})
        await box.blocks(1)
        described = (await box.call("getTransaction", answer["result"], config))["result"]
        assert "version" not in described
        assert described["transaction"]["message"]["instructions"][0]["data"]
        page = (await box.rpc.get_signatures_for_address(FRIEND, limit=1, commitment=Confirmed)).value
        assert [str(one.signature) for one in page] == [answer["result"]]
        rest = (await box.rpc.get_signatures_for_address(FRIEND, before=page[0].signature, commitment=Confirmed)).value
        assert [one.signature for one in rest] == [signature]

    run(story)


def test_simulation() -> None:
    async def story(box: Box) -> None:
        key = box.wallet()
        transaction = await box.pay(key, FRIEND, 1_000_000)
        answer = (await box.rpc.simulate_transaction(transaction, sig_verify=True, commitment=Processed)).value
        assert (answer.err, answer.units_consumed) == (None, 150)
        assert (await box.rpc.get_balance(FRIEND, Processed)).value == 0
        too_much = await box.pay(key, FRIEND, 10**12)
        assert (await box.rpc.simulate_transaction(too_much, commitment=Processed)).value.err is not None
        await box.blocks(200)
        assert (await box.rpc.simulate_transaction(transaction)).value.err is not None
        fresh = (await box.rpc.simulate_transaction(transaction, replace_recent_blockhash=True)).value
        assert fresh.err is None
        wanted = {"encoding": "base64", "addresses": [str(FRIEND)]}
        options = {"encoding": "base64", "replaceRecentBlockhash": True, "accounts": wanted}
        raw = base64.b64encode(bytes(transaction)).decode()
        value = (await box.call("simulateTransaction", raw, options))["result"]["value"]
        assert value["accounts"][0]["lamports"] == 1_000_000
        assert value["replacementBlockhash"]["lastValidBlockHeight"] > 300_000_150

    run(story)


def test_airdrop() -> None:
    async def story(box: Box) -> None:
        signature = (await box.rpc.request_airdrop(FRIEND, 5)).value
        assert (await box.status(signature)).err is not None  # too little for the rent
        await box.rpc.request_airdrop(FRIEND, 10**9)
        await box.blocks(32)
        assert (await box.rpc.get_balance(FRIEND)).value == 10**9
        refused = await box.call("requestAirdrop", str(FRIEND), 10**15)
        assert refused["error"]["code"] == -32602

    run(story)


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
        ("getTokenAccountsByOwner", [USDC, {"mint": str(FRIEND)}], -32602),
        ("getTokenAccountsByOwner", [USDC, {"programId": str(FRIEND)}], -32602),
        ("getTokenAccountsByOwner", [USDC, {}], -32602),
        ("getAccountInfo", [USDC, {"encoding": "base64+zstd"}], -32602),
        ("sendTransaction", ["!"], -32602),
        ("sendTransaction", ["AAAA", {"encoding": "base64"}], -32602),
        ("sendTransaction", ["A" * 1648, {"encoding": "base64"}], -32602),
        ("getFeeForMessage", ["AAAA"], -32602),
        ("isBlockhashValid", ["?"], -32602),
        ("getMinimumBalanceForRentExemption", ["much"], -32602),
    ],
)
def test_refusals(method: str, params: list[Any], code: int) -> None:
    async def story(box: Box) -> None:
        answer = await box.call(method, *params)
        assert answer["error"]["code"] == code
        if code == -32016:
            assert answer["error"]["data"]["contextSlot"] < 400_000_000

    run(story)


def test_batches_and_what_is_no_call() -> None:
    async def story(box: Box) -> None:
        calls = [{"jsonrpc": "2.0", "id": number, "method": "getSlot", "params": []} for number in range(3)]
        async with box.http.post(box.rpc_url, json=[*calls, {"jsonrpc": "2.0", "id": 9, "method": "nope"}]) as answer:
            results = await answer.json()
        assert [one["id"] for one in results] == [0, 1, 2, 9]
        assert ["result" in one for one in results] == [True, True, True, False]
        for body, code in ((b"{", -32700), (b"7", -32600), (b'{"method":"getSlot"}', -32600)):
            async with box.http.post(box.rpc_url, data=body) as answer:
                assert (await answer.json())["error"]["code"] == code
        named = {"jsonrpc": "2.0", "id": 1, "method": "getSlot", "params": {"commitment": "processed"}}
        async with box.http.post(box.rpc_url, json=named) as answer:
            assert (await answer.json())["error"]["code"] == -32602

    run(story)


def rpc_fault(method: str, kind: FaultKind, value: float = 0, times: int | None = 1) -> Rule:
    """A fault of the node."""
    return Rule(route=f"solana/rpc/{method}", kind=kind, value=value, times=times)


def test_a_node_that_is_behind() -> None:
    async def story(box: Box) -> None:
        key = box.wallet()
        signature = await box.send(await box.pay(key, FRIEND, 1_000_000))
        await box.blocks(40)
        for method in ("getHealth", "sendTransaction", "getBalance", "getSignatureStatuses"):
            box.faults.add(rpc_fault(method, FaultKind.NODE_BEHIND, 50))
        health = await box.call("getHealth")
        assert health["error"] == {
            "code": -32005,
            "message": "Node is behind by 50 slots",
            "data": {"numSlotsBehind": 50},
        }
        with pytest.raises(RPCException, match="behind"):
            await box.send(await box.pay(key, FRIEND, 5))
        answer = await box.rpc.get_balance(FRIEND, Confirmed)
        assert answer.value == 0
        assert answer.context.slot == 320_000_000 + 40 - 1 - 50
        assert await box.status(signature) is None
        assert (await box.rpc.get_balance(FRIEND, Confirmed)).value == 1_000_000

    run(story)


def test_a_status_that_lags() -> None:
    async def story(box: Box) -> None:
        signature = await box.send(await box.pay(box.wallet(), FRIEND, 1_000_000))
        assert [await box.status(signature) is None for _ in range(4)] == [True, True, True, False]

    run(story, rpc_fault("getSignatureStatuses", FaultKind.LAG, times=3))


def test_an_answer_that_is_lost_after_landing() -> None:
    async def story(box: Box) -> None:
        key = box.wallet()
        for number, kind in enumerate((FaultKind.DROP_ANSWER, FaultKind.STATUS_AFTER, FaultKind.MALFORMED)):
            transaction = await box.pay(key, FRIEND, 1_000_000 + number)
            box.faults.add(rpc_fault("sendTransaction", kind, 502))
            with pytest.raises(Exception):  # noqa: B017, PT011  each kind has another error; the client learns nothing
                await box.send(transaction)
            assert await box.status(transaction.signatures[0]) is not None
        lost = await box.pay(key, FRIEND, 9)
        box.faults.add(rpc_fault("sendTransaction", FaultKind.STATUS, 429))
        with pytest.raises(SolanaRpcException):
            await box.send(lost)
        assert await box.status(lost.signatures[0]) is None
        box.faults.add(rpc_fault("sendTransaction", FaultKind.ANSWER_TWICE))
        twice = await box.pay(key, FRIEND, 10)
        with pytest.raises(RPCException):  # the second delivery is refused as already processed
            await box.send(twice)
        assert await box.status(twice.signatures[0]) is not None

    run(story)


def test_a_node_with_a_wrong_clock() -> None:
    async def story(box: Box) -> None:
        signature = await box.send(await box.pay(box.wallet(), FRIEND, 1_000_000))
        await box.blocks(1)
        assert (await box.transaction(signature)).block_time == 1_760_000_000 - 90

    run(story, rpc_fault("getTransaction", FaultKind.CLOCK_SKEW, -90_000))


def test_old_statuses_need_the_history() -> None:
    async def story(box: Box) -> None:
        signature = await box.send(await box.pay(box.wallet(), FRIEND, 1_000_000))
        await box.blocks(200)
        assert await box.status(signature) is None
        found = await box.rpc.get_signature_statuses([signature], search_transaction_history=True)
        assert found.value[0] is not None

    run(story)


def test_withheld_fees_are_not_in_the_balance() -> None:
    async def story(box: Box) -> None:
        key = box.wallet(USDC=10**9)
        quote = await box.quote(USDC, str(TOLL.mint), 10**6)
        transaction, _ = await box.swap(quote, key)
        await box.send(transaction)
        account = associated_address(key.pubkey(), TOLL.mint, TOKEN_2022_PROGRAM)
        assert (await box.rpc.get_token_account_balance(account, Processed)).value.amount == quote["outAmount"]

    run(story)
