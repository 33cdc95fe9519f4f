"""What a transaction says before it is executed: its keys, its instructions, its fee."""

import struct
from typing import Final, NamedTuple, TypeAlias

from solders.message import Message, MessageV0, MessageV1
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from strandline_sim.solana.accounts import Accounts
from strandline_sim.solana.token_accounts import SYSTEM_PROGRAM

LARGEST: Final = 1232
"""Bytes: what fits in one packet."""
LAMPORTS_PER_SIGNATURE: Final = 5000
COMPUTE_BUDGET: Final = Pubkey.from_string("ComputeBudget111111111111111111111111111111")
_SET_LIMIT, _SET_PRICE = 2, 3
_DEFAULT_UNITS, _BUILTIN_UNITS, _MOST_UNITS = 200_000, 3_000, 1_400_000
"""An instruction of a built-in program counts less when no limit is set."""
_BUILTINS: Final = frozenset(
    {
        COMPUTE_BUDGET,
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
    """Keys that came from lookup tables."""

    writable: list[Pubkey]
    readonly: list[Pubkey]


class Call(NamedTuple):
    """One instruction with its keys in full."""

    program: Pubkey
    accounts: list[Pubkey]
    data: bytes


def loaded_keys(message: AnyMessage, accounts: Accounts) -> Loaded:
    """What the message's lookup tables give; a missing table gives nothing, and the execution then fails."""
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
    """The index space of the instructions and of the balances."""
    return [*message.account_keys, *loaded.writable, *loaded.readonly]


def calls_of(message: AnyMessage, keys: list[Pubkey]) -> list[Call]:
    """The instructions; one that points outside of the keys is left to the execution, which refuses it."""
    calls = []
    for instruction in message.instructions:
        indexes = list(instruction.accounts)
        if max([instruction.program_id_index, *indexes]) < len(keys):
            accounts = [keys[index] for index in indexes]
            calls.append(Call(keys[instruction.program_id_index], accounts, bytes(instruction.data)))
    return calls


def fee_of(message: AnyMessage) -> int:
    """Signatures, and compute units bought at the price that is bid."""
    price, units = _bid(message)
    return message.header.num_required_signatures * LAMPORTS_PER_SIGNATURE + -(-price * units // 1_000_000)


def price_of(message: AnyMessage) -> int:
    """What is bid for a compute unit, in micro-lamports."""
    return _bid(message)[0]


def well_signed(transaction: VersionedTransaction) -> bool:
    """Whether every required signature is there and right."""
    required = transaction.message.header.num_required_signatures
    return len(transaction.signatures) == required and all(transaction.verify_with_results())


def _bid(message: AnyMessage) -> tuple[int, int]:
    keys = list(message.account_keys)
    price, limit, default = 0, None, 0
    for instruction in message.instructions:
        data = bytes(instruction.data)
        program = keys[instruction.program_id_index]
        default += _BUILTIN_UNITS if program in _BUILTINS else _DEFAULT_UNITS
        if program != COMPUTE_BUDGET:
            continue
        if data[:1] == bytes([_SET_LIMIT]) and len(data) >= 5:
            limit = min(struct.unpack_from("<I", data, 1)[0], _MOST_UNITS)
        elif data[:1] == bytes([_SET_PRICE]) and len(data) >= 9:
            price = struct.unpack_from("<Q", data, 1)[0]
    return price, limit if limit is not None else min(default, _MOST_UNITS)
