"""Reads a transaction before its execution: keys, instructions and fee."""

import struct
from typing import Final, NamedTuple, TypeAlias

from solders.message import Message, MessageV0, MessageV1
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from strandline_sim.solana.accounts import Accounts
from strandline_sim.solana.token_accounts import SYSTEM_PROGRAM

MAX_BYTES: Final = 1232
"""The size of one packet."""
LAMPORTS_PER_SIGNATURE: Final = 5000
COMPUTE_BUDGET_PROGRAM: Final = Pubkey.from_string("ComputeBudget111111111111111111111111111111")
_SET_LIMIT, _SET_PRICE = 2, 3
_DEFAULT_UNITS, _BUILTIN_UNITS, _MAX_UNITS = 200_000, 3_000, 1_400_000
"""The default compute units of an instruction, and of one of a built-in program."""
_BUILTINS: Final = frozenset(
    {
        COMPUTE_BUDGET_PROGRAM,
        SYSTEM_PROGRAM,
        Pubkey.from_string("Vote111111111111111111111111111111111111111"),
        Pubkey.from_string("BPFLoaderUpgradeab1e11111111111111111111111"),
        Pubkey.from_string("BPFLoader2111111111111111111111111111111111"),
        Pubkey.from_string("KeccakSecp256k11111111111111111111111111111"),
        Pubkey.from_string("Ed25519SigVerify111111111111111111111111111"),
    }
)
_TABLE_HEADER: Final = 56


AnyMessage: TypeAlias = Message | MessageV0 | MessageV1


class Loaded(NamedTuple):
    """Keys loaded from lookup tables."""

    writable: list[Pubkey]
    readonly: list[Pubkey]


class InstructionCall(NamedTuple):
    """An instruction with its keys resolved."""

    program: Pubkey
    accounts: list[Pubkey]
    data: bytes


def loaded_keys(message: AnyMessage, accounts: Accounts) -> Loaded:
    """Load keys from the message's lookup tables; a missing table gives none, and the execution then fails."""
    loaded = Loaded([], [])
    if isinstance(message, MessageV0):
        for lookup in message.address_table_lookups:
            table = accounts.get(lookup.account_key)
            data = table.data[_TABLE_HEADER:] if table is not None else b""
            keys = [Pubkey.from_bytes(data[at : at + 32]) for at in range(0, len(data) - 31, 32)]
            loaded.writable.extend(keys[index] for index in lookup.writable_indexes if index < len(keys))
            loaded.readonly.extend(keys[index] for index in lookup.readonly_indexes if index < len(keys))
    return loaded


def all_keys(message: AnyMessage, loaded: Loaded) -> list[Pubkey]:
    """Return all keys, in the order that instructions and balances index."""
    return [*message.account_keys, *loaded.writable, *loaded.readonly]


def calls_of(message: AnyMessage, keys: list[Pubkey]) -> list[InstructionCall]:
    """Resolve the instructions, without those with an invalid index, which the execution refuses."""
    calls = []
    for instruction in message.instructions:
        indexes = list(instruction.accounts)
        if max([instruction.program_id_index, *indexes]) < len(keys):
            accounts = [keys[index] for index in indexes]
            calls.append(InstructionCall(keys[instruction.program_id_index], accounts, bytes(instruction.data)))
    return calls


def fee_of(message: AnyMessage) -> int:
    """Compute the fee: signatures, and compute units at their price."""
    price, units = _compute_budget(message)
    return message.header.num_required_signatures * LAMPORTS_PER_SIGNATURE + -(-price * units // 1_000_000)


def price_of(message: AnyMessage) -> int:
    """Return the price of a compute unit, in micro-lamports."""
    return _compute_budget(message)[0]


def has_valid_signatures(transaction: VersionedTransaction) -> bool:
    """Whether all required signatures are valid."""
    required = transaction.message.header.num_required_signatures
    return len(transaction.signatures) == required and all(transaction.verify_with_results())


def _compute_budget(message: AnyMessage) -> tuple[int, int]:
    keys = list(message.account_keys)
    price, limit, default = 0, None, 0
    for instruction in message.instructions:
        data = bytes(instruction.data)
        program = keys[instruction.program_id_index]
        default += _BUILTIN_UNITS if program in _BUILTINS else _DEFAULT_UNITS
        if program != COMPUTE_BUDGET_PROGRAM:
            continue
        if data[:1] == bytes([_SET_LIMIT]) and len(data) >= 5:
            limit = min(struct.unpack_from("<I", data, 1)[0], _MAX_UNITS)
        elif data[:1] == bytes([_SET_PRICE]) and len(data) >= 9:
            price = struct.unpack_from("<Q", data, 1)[0]
    return price, limit if limit is not None else min(default, _MAX_UNITS)
