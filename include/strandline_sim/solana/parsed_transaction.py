"""A landed transaction as the node writes it for `jsonParsed`."""

from collections.abc import Sequence
from typing import Any, Final

from solders.message import MessageV0
from solders.pubkey import Pubkey

from strandline_sim.solana.encoding import from_base58
from strandline_sim.solana.landed import Landed
from strandline_sim.solana.parsed_instructions import instruction_json
from strandline_sim.solana.transactions import AnyMessage, InstructionCall

_UPGRADEABLE_LOADER: Final = Pubkey.from_string("BPFLoaderUpgradeab1e11111111111111111111111")


def parsed_message(landed: Landed) -> dict[str, Any]:
    """Describe the message: keys with what they are for, instructions parsed."""
    message, keys = landed.transaction.message, landed.keys
    described: dict[str, Any] = {
        "accountKeys": _keys_json(landed),
        "instructions": [
            instruction_json(_call(keys, one.program_id_index, one.accounts, bytes(one.data)), 1)
            for one in message.instructions
        ],
        "recentBlockhash": str(message.recent_blockhash),
    }
    return {**described, **lookups_json(message)}


def parsed_inner(landed: Landed) -> list[dict[str, Any]]:
    """Describe the inner instructions, parsed."""
    return [
        {
            "index": group["index"],
            "instructions": [
                instruction_json(
                    _call(landed.keys, one["programIdIndex"], one["accounts"], from_base58(one["data"])),
                    one["stackHeight"],
                )
                for one in group["instructions"]
            ],
        }
        for group in landed.inner
    ]


def lookups_json(message: AnyMessage) -> dict[str, Any]:
    """Describe the lookups in address tables, which legacy messages do not have."""
    if not isinstance(message, MessageV0):
        return {}
    lookups = [
        {
            "accountKey": str(lookup.account_key),
            "writableIndexes": list(lookup.writable_indexes),
            "readonlyIndexes": list(lookup.readonly_indexes),
        }
        for lookup in message.address_table_lookups
    ]
    return {"addressTableLookups": lookups}


def _keys_json(landed: Landed) -> list[dict[str, Any]]:
    message = landed.transaction.message
    static, signers = len(message.account_keys), message.header.num_required_signatures
    called = {one.program_id_index for one in message.instructions} - (
        set(range(len(landed.keys))) if _UPGRADEABLE_LOADER in landed.keys else set()
    )
    return [
        {
            "pubkey": str(key),
            "signer": index < signers,
            "source": "transaction" if index < static else "lookupTable",
            "writable": index not in called and _requested_writable(landed, index),
        }
        for index, key in enumerate(landed.keys)
    ]


def _requested_writable(landed: Landed, index: int) -> bool:
    message = landed.transaction.message
    static, header = len(message.account_keys), message.header
    if index >= static:
        return index < static + len(landed.loaded.writable)
    if index < header.num_required_signatures:
        return index < header.num_required_signatures - header.num_readonly_signed_accounts
    return index < static - header.num_readonly_unsigned_accounts


def _call(keys: Sequence[Pubkey], program: int, accounts: Sequence[int], data: bytes) -> InstructionCall:
    return InstructionCall(keys[program], [keys[index] for index in accounts], data)
