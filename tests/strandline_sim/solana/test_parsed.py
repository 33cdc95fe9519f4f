"""`jsonParsed` transactions: instructions that the client library encodes, as a node describes them."""

import json
from typing import Any

import pytest
from solana.rpc.commitment import Confirmed, Processed
from solders import system_program as system
from solders.account import Account
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.compute_budget import set_compute_unit_limit
from solders.instruction import AccountMeta, Instruction
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.rpc.responses import GetTransactionResp
from solders.transaction import Transaction, VersionedTransaction
from solders.transaction_status import (
    ParsedInstruction,
    UiParsedMessage,
    UiPartiallyDecodedInstruction,
)
from spl.memo.instructions import create_memo
from spl.memo.models import MemoParams
from spl.token import instructions as token
from spl.token import models

from strandline_sim.solana.encoding import base58
from strandline_sim.solana.parsed_instructions import instruction_json
from strandline_sim.solana.swap_program import PROGRAM_ID
from strandline_sim.solana.token_accounts import (
    ATA_PROGRAM,
    SYSTEM_PROGRAM,
    TOKEN_2022_PROGRAM,
    TOKEN_PROGRAM,
    associated_address,
)
from strandline_sim.solana.transactions import InstructionCall
from tests.strandline_sim.solana.simulation import BONK, USDC, Simulation, run

SPL = TOKEN_PROGRAM
A, B, C, D, E = (Pubkey.from_bytes(bytes([number]) * 32) for number in range(1, 6))
MEMO = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")
RENT = "SysvarRent111111111111111111111111111111111"
AMOUNT = {"amount": "1500000", "decimals": 6, "uiAmount": 1.5, "uiAmountString": "1.5"}
a, b, c, d, e = map(str, (A, B, C, D, E))

PARSED: dict[str, tuple[Instruction, str, Any]] = {
    "transfer": (
        system.transfer(system.TransferParams(from_pubkey=A, to_pubkey=B, lamports=2**64 - 1)),
        "system",
        {"source": a, "destination": b, "lamports": 2**64 - 1},
    ),
    "createAccount": (
        system.create_account(
            system.CreateAccountParams(from_pubkey=A, to_pubkey=B, lamports=7, space=165, owner=TOKEN_PROGRAM)
        ),
        "system",
        {"source": a, "newAccount": b, "lamports": 7, "space": 165, "owner": str(TOKEN_PROGRAM)},
    ),
    "createAccountWithSeed": (
        system.create_account_with_seed(
            system.CreateAccountWithSeedParams(
                from_pubkey=A, to_pubkey=B, base=A, seed="näh", lamports=7, space=8, owner=C
            )
        ),
        "system",
        {"source": a, "newAccount": b, "base": a, "seed": "näh", "lamports": 7, "space": 8, "owner": c},
    ),
    "transferWithSeed": (
        system.transfer_with_seed(
            system.TransferWithSeedParams(
                from_pubkey=A, from_base=B, from_seed="seed", from_owner=C, to_pubkey=D, lamports=9
            )
        ),
        "system",
        {"source": a, "sourceBase": b, "destination": d, "lamports": 9, "sourceSeed": "seed", "sourceOwner": c},
    ),
    "assign": (
        system.assign(system.AssignParams(pubkey=A, owner=B)),
        "system",
        {"account": a, "owner": b},
    ),
    "allocate": (
        system.allocate(system.AllocateParams(pubkey=A, space=10)),
        "system",
        {"account": a, "space": 10},
    ),
    "spl transfer": (
        token.transfer(models.TransferParams(program_id=SPL, source=A, dest=B, owner=C, amount=5)),
        "spl-token",
        {"source": a, "destination": b, "authority": c, "amount": "5"},
    ),
    "transfer of a multisig": (
        token.transfer(models.TransferParams(program_id=SPL, source=A, dest=B, owner=C, amount=5, signers=[D, E])),
        "spl-token",
        {"source": a, "destination": b, "multisigAuthority": c, "signers": [d, e], "amount": "5"},
    ),
    "transferChecked": (
        token.transfer_checked(
            models.TransferCheckedParams(
                program_id=TOKEN_2022_PROGRAM, source=A, mint=B, dest=C, owner=D, amount=1_500_000, decimals=6
            )
        ),
        "spl-token",
        {"source": a, "mint": b, "destination": c, "authority": d, "tokenAmount": AMOUNT},
    ),
    "transferCheckedWithFee": (
        Instruction(
            TOKEN_2022_PROGRAM,
            bytes([26, 1]) + (1_500_000).to_bytes(8, "little") + bytes([6]) + (1_500_000).to_bytes(8, "little"),
            [AccountMeta(key, is_signer=False, is_writable=True) for key in (A, B, C, D)],
        ),
        "spl-token",
        {"source": a, "mint": b, "destination": c, "authority": d, "tokenAmount": AMOUNT, "feeAmount": AMOUNT},
    ),
    "approve": (
        token.approve(models.ApproveParams(program_id=SPL, source=A, delegate=B, owner=C, amount=5)),
        "spl-token",
        {"source": a, "delegate": b, "owner": c, "amount": "5"},
    ),
    "approveChecked": (
        token.approve_checked(
            models.ApproveCheckedParams(
                program_id=SPL, source=A, mint=B, delegate=C, owner=D, amount=1_500_000, decimals=6
            )
        ),
        "spl-token",
        {"source": a, "mint": b, "delegate": c, "owner": d, "tokenAmount": AMOUNT},
    ),
    "revoke": (
        token.revoke(models.RevokeParams(program_id=SPL, account=A, owner=B)),
        "spl-token",
        {"source": a, "owner": b},
    ),
    "setAuthority": (
        token.set_authority(
            models.SetAuthorityParams(
                program_id=TOKEN_PROGRAM,
                account=A,
                authority=models.AuthorityType.ACCOUNT_OWNER,
                current_authority=B,
                new_authority=C,
            )
        ),
        "spl-token",
        {"account": a, "authority": b, "authorityType": "accountOwner", "newAuthority": c},
    ),
    "setAuthority of a mint": (
        token.set_authority(
            models.SetAuthorityParams(
                program_id=SPL, account=A, authority=models.AuthorityType.MINT_TOKENS, current_authority=B
            )
        ),
        "spl-token",
        {"mint": a, "authority": b, "authorityType": "mintTokens", "newAuthority": None},
    ),
    "mintTo": (
        token.mint_to(models.MintToParams(program_id=SPL, mint=A, dest=B, mint_authority=C, amount=5)),
        "spl-token",
        {"mint": a, "account": b, "mintAuthority": c, "amount": "5"},
    ),
    "mintToChecked": (
        token.mint_to_checked(
            models.MintToCheckedParams(program_id=SPL, mint=A, dest=B, mint_authority=C, amount=1_500_000, decimals=6)
        ),
        "spl-token",
        {"mint": a, "account": b, "mintAuthority": c, "tokenAmount": AMOUNT},
    ),
    "burn": (
        token.burn(models.BurnParams(program_id=SPL, account=A, mint=B, owner=C, amount=5)),
        "spl-token",
        {"account": a, "mint": b, "authority": c, "amount": "5"},
    ),
    "burnChecked": (
        token.burn_checked(
            models.BurnCheckedParams(program_id=SPL, account=A, mint=B, owner=C, amount=1_500_000, decimals=6)
        ),
        "spl-token",
        {"account": a, "mint": b, "authority": c, "tokenAmount": AMOUNT},
    ),
    "closeAccount": (
        token.close_account(models.CloseAccountParams(program_id=SPL, account=A, dest=B, owner=C)),
        "spl-token",
        {"account": a, "destination": b, "owner": c},
    ),
    "freezeAccount": (
        token.freeze_account(models.FreezeAccountParams(program_id=SPL, account=A, mint=B, authority=C)),
        "spl-token",
        {"account": a, "mint": b, "freezeAuthority": c},
    ),
    "thawAccount": (
        token.thaw_account(models.ThawAccountParams(program_id=SPL, account=A, mint=B, authority=C)),
        "spl-token",
        {"account": a, "mint": b, "freezeAuthority": c},
    ),
    "syncNative": (
        token.sync_native(models.SyncNativeParams(program_id=SPL, account=A)),
        "spl-token",
        {"account": a},
    ),
    "initializeMint": (
        token.initialize_mint(
            models.InitializeMintParams(program_id=SPL, mint=A, decimals=6, mint_authority=B, freeze_authority=C)
        ),
        "spl-token",
        {"mint": a, "rentSysvar": RENT, "decimals": 6, "mintAuthority": b, "freezeAuthority": c},
    ),
    "initializeMint2": (
        token.initialize_mint2(models.InitializeMint2Params(program_id=SPL, mint=A, decimals=6, mint_authority=B)),
        "spl-token",
        {"mint": a, "decimals": 6, "mintAuthority": b},
    ),
    "initializeAccount": (
        token.initialize_account(models.InitializeAccountParams(program_id=SPL, account=A, mint=B, owner=C)),
        "spl-token",
        {"account": a, "mint": b, "owner": c, "rentSysvar": RENT},
    ),
    "initializeAccount2": (
        token.initialize_account2(models.InitializeAccount2Params(program_id=SPL, account=A, mint=B, owner=C)),
        "spl-token",
        {"account": a, "mint": b, "owner": c, "rentSysvar": RENT},
    ),
    "initializeAccount3": (
        token.initialize_account3(models.InitializeAccount3Params(program_id=SPL, account=A, mint=B, owner=C)),
        "spl-token",
        {"account": a, "mint": b, "owner": c},
    ),
    "initializeImmutableOwner": (
        token.initialize_immutable_owner(models.InitializeImmutableOwnerParams(program_id=SPL, account=A)),
        "spl-token",
        {"account": a},
    ),
    "getAccountDataSize": (
        Instruction(TOKEN_PROGRAM, bytes([21, 7, 0]), [AccountMeta(A, is_signer=False, is_writable=False)]),
        "spl-token",
        {"mint": a, "extensionTypes": ["immutableOwner"]},
    ),
    "getAccountDataSize without extensions": (
        Instruction(TOKEN_PROGRAM, bytes([21]), [AccountMeta(A, is_signer=False, is_writable=False)]),
        "spl-token",
        {"mint": a},
    ),
    "create": (
        token.create_associated_token_account(A, B, C),
        "spl-associated-token-account",
        {
            "source": a,
            "account": str(associated_address(B, C, TOKEN_PROGRAM)),
            "wallet": b,
            "mint": c,
            "systemProgram": str(SYSTEM_PROGRAM),
            "tokenProgram": str(TOKEN_PROGRAM),
        },
    ),
    "createIdempotent": (
        token.create_idempotent_associated_token_account(A, B, C, TOKEN_2022_PROGRAM),
        "spl-associated-token-account",
        {
            "source": a,
            "account": str(associated_address(B, C, TOKEN_2022_PROGRAM)),
            "wallet": b,
            "mint": c,
            "systemProgram": str(SYSTEM_PROGRAM),
            "tokenProgram": str(TOKEN_2022_PROGRAM),
        },
    ),
}


def call_of(instruction: Instruction, data: bytes | None = None, accounts: int | None = None) -> InstructionCall:
    """Make the call of an instruction, perhaps with other data or fewer accounts."""
    keys = [meta.pubkey for meta in instruction.accounts][:accounts]
    return InstructionCall(instruction.program_id, keys, bytes(instruction.data) if data is None else data)


@pytest.mark.parametrize("name", PARSED)
def test_known_instructions_are_parsed(name: str) -> None:
    instruction, program, info = PARSED[name]
    kind = name.removeprefix("spl ").partition(" ")[0]
    assert instruction_json(call_of(instruction), 2) == {
        "program": program,
        "programId": str(instruction.program_id),
        "parsed": {"type": kind, "info": info},
        "stackHeight": 2,
    }


@pytest.mark.parametrize("name", PARSED)
def test_with_too_few_accounts_they_are_only_described(name: str) -> None:
    instruction = PARSED[name][0]
    needed = {"transfer of a multisig": 3, "create": 6}.get(name, len(instruction.accounts))
    assert_described(call_of(instruction, accounts=needed - 1))


@pytest.mark.parametrize("name", [name for name in PARSED if len(PARSED[name][0].data) > 1])
def test_with_truncated_data_they_are_only_described(name: str) -> None:
    instruction = PARSED[name][0]
    assert_described(call_of(instruction, bytes(instruction.data)[:2]))


@pytest.mark.parametrize(
    ("program", "data"),
    [
        (SYSTEM_PROGRAM, b""),
        (SYSTEM_PROGRAM, b"\xff\0\0\0"),
        (SYSTEM_PROGRAM, b"\3\0\0\0" + bytes(32) + b"\1\0\0\0\0\0\0\0\xff" + bytes(48)),  # a seed that is no UTF-8
        (TOKEN_PROGRAM, b""),
        (TOKEN_PROGRAM, b"\xff"),
        (TOKEN_PROGRAM, b"\6\x63\0"),
        (TOKEN_PROGRAM, b"\x15\x63\0"),
        (TOKEN_2022_PROGRAM, b"\x1a\0" + bytes(80)),
        (ATA_PROGRAM, b"\7"),
        (MEMO, b"\xff"),
        (PROGRAM_ID, b"anything"),
    ],
)
def test_unknown_instructions_are_only_described(program: Pubkey, data: bytes) -> None:
    assert_described(InstructionCall(program, [A, B, C, D, E], data))


def assert_described(call: InstructionCall) -> None:
    """Check that the instruction is not parsed, and nothing of it is lost."""
    assert instruction_json(call, 1) == {
        "programId": str(call.program),
        "accounts": [str(key) for key in call.accounts],
        "data": base58(call.data),
        "stackHeight": 1,
    }


def test_a_memo_is_its_text() -> None:
    memo = create_memo(MemoParams(program_id=MEMO, signer=A, message="größer".encode()))
    assert instruction_json(call_of(memo), 1) == {
        "program": "spl-memo",
        "programId": str(MEMO),
        "parsed": "größer",
        "stackHeight": 1,
    }


async def parsed(sim: Simulation, signature: object) -> tuple[dict[str, Any], Any]:
    """Get a transaction as JSON, and its message as the client library reads it."""
    options = {"commitment": "confirmed", "encoding": "jsonParsed", "maxSupportedTransactionVersion": 0}
    answer = await sim.call("getTransaction", str(signature), options)
    read = GetTransactionResp.from_json(json.dumps(answer))
    assert isinstance(read, GetTransactionResp)
    assert read.value is not None
    transaction: Any = read.value.transaction.transaction
    assert isinstance(transaction.message, UiParsedMessage)
    return answer["result"], transaction.message


def test_a_swap() -> None:
    async def scenario(sim: Simulation) -> None:
        key = sim.wallet(USDC=1_000_000_000)
        quote = await sim.quote(USDC, BONK, 100_000_000)
        transaction, _ = await sim.swap(quote, key)
        signature = await sim.send(transaction)
        await sim.blocks(1)
        described, message = await parsed(sim, signature)
        kinds = [
            one.parsed["type"] if isinstance(one, ParsedInstruction) else str(one.program_id)
            for one in message.instructions
        ]
        assert kinds == [*["ComputeBudget111111111111111111111111111111"] * 2, "createIdempotent", str(PROGRAM_ID)]
        route = message.instructions[-1]
        assert isinstance(route, UiPartiallyDecodedInstruction)
        assert len(route.accounts) == 10
        create, swap = described["meta"]["innerInstructions"]
        assert [one["parsed"]["type"] for one in create["instructions"]] == [
            *("getAccountDataSize", "createAccount", "initializeImmutableOwner", "initializeAccount3")
        ]
        moved = [one["parsed"]["info"] for one in swap["instructions"]]
        assert [one["mint"] for one in moved] == [USDC, BONK]
        assert [one["tokenAmount"]["amount"] for one in moved] == [quote["inAmount"], quote["outAmount"]]
        assert moved[0]["authority"] == str(key.pubkey())
        assert "loadedAddresses" not in described["meta"]
        plain = await sim.rpc.get_transaction(signature, "json", Confirmed, 0)
        assert plain.value is not None
        raw: Any = plain.value.transaction.transaction
        assert [one.pubkey for one in message.account_keys] == raw.message.account_keys
        signers = [one.pubkey for one in message.account_keys if one.signer]
        assert signers == [key.pubkey()]
        sent: Any = transaction.message
        for index, one in enumerate(message.account_keys):
            assert one.writable is sent.is_maybe_writable(index)

    run(scenario)


def test_a_legacy_transaction_that_failed() -> None:
    async def scenario(sim: Simulation) -> None:
        key = sim.wallet()
        blockhash = (await sim.rpc.get_latest_blockhash(Processed)).value.blockhash
        move = system.transfer(system.TransferParams(from_pubkey=key.pubkey(), to_pubkey=A, lamports=10**12))
        legacy = Transaction([key], Message.new_with_blockhash([move], key.pubkey(), blockhash), blockhash)
        signature = await sim.send(VersionedTransaction.from_bytes(bytes(legacy)), skip_preflight=True)
        await sim.blocks(1)
        described, message = await parsed(sim, signature)
        assert described["version"] == "legacy"
        assert described["meta"]["err"] == {"InstructionError": [0, {"Custom": 1}]}
        assert message.address_table_lookups is None
        [instruction] = message.instructions
        assert isinstance(instruction, ParsedInstruction)
        parsed_instruction: Any = instruction.parsed
        assert parsed_instruction["info"]["lamports"] == 10**12
        assert [(one.signer, one.writable) for one in message.account_keys] == [
            *((True, True), (False, True), (False, False))
        ]

    run(scenario)


def test_keys_of_a_lookup_table() -> None:
    async def scenario(sim: Simulation) -> None:
        key = sim.wallet()
        owner = Pubkey.from_string("AddressLookupTab1e1111111111111111111111111")
        head = (1).to_bytes(4, "little") + (2**64 - 1).to_bytes(8, "little") + bytes(44)
        data = head + bytes(C) + bytes(D)
        sim.venue.accounts.put(B, Account(10**9, data, owner, executable=False, rent_epoch=0))
        reads = Instruction(MEMO, b"hello", [AccountMeta(key.pubkey(), is_signer=True, is_writable=True)])
        pay = system.transfer(system.TransferParams(from_pubkey=key.pubkey(), to_pubkey=D, lamports=10**9))
        cap = set_compute_unit_limit(100_000)
        looks = Instruction(
            SYSTEM_PROGRAM,
            bytes(pay.data),
            [
                *pay.accounts,
                AccountMeta(C, is_signer=False, is_writable=False),
                AccountMeta(MEMO, is_signer=False, is_writable=True),  # no program is, whatever was asked for
            ],
        )
        blockhash = (await sim.rpc.get_latest_blockhash(Processed)).value.blockhash
        table = AddressLookupTableAccount(B, [C, D])
        message = MessageV0.try_compile(key.pubkey(), [cap, looks, reads], [table], blockhash)
        assert len(message.address_table_lookups) == 1
        signature = await sim.send(VersionedTransaction(message, [key]))
        await sim.blocks(1)
        described, read = await parsed(sim, signature)
        keys = described["transaction"]["message"]["accountKeys"]
        assert keys[-2:] == [
            {"pubkey": d, "signer": False, "source": "lookupTable", "writable": True},
            {"pubkey": c, "signer": False, "source": "lookupTable", "writable": False},
        ]
        assert {one["source"] for one in keys[:-2]} == {"transaction"}
        assert read.address_table_lookups is not None
        [lookup] = read.address_table_lookups
        assert lookup.account_key == B
        assert {"pubkey": str(MEMO), "signer": False, "source": "transaction", "writable": False} in keys
        texts = [one["parsed"] for one in described["transaction"]["message"]["instructions"][1:]]
        assert texts[0]["info"]["destination"] == d
        assert texts[1] == "hello"

    run(scenario)
