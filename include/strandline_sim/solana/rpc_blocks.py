"""JSON-RPC methods for blocks, the node and fees."""

import hashlib
from typing import Any

from solders.hash import Hash, ParseHashError
from solders.message import from_bytes_versioned

from strandline_sim.faults import FaultKind
from strandline_sim.solana.blocks import FINAL_BLOCKS, SLOTS_PER_EPOCH, VALID_BLOCKS
from strandline_sim.solana.encoding import base58
from strandline_sim.solana.rpc_call import (
    API_VERSION,
    BLOCK_CLEANED_UP,
    INVALID_PARAMS,
    NODE_BEHIND,
    SLOT_SKIPPED,
    Call,
    RpcError,
)
from strandline_sim.solana.transactions import fee_of, price_of


def get_latest_blockhash(call: Call) -> dict[str, Any]:
    """Return the newest blockhash at the commitment."""
    height = call.height()
    blockhash = str(call.node.chain.blocks.hash_of(height))
    return call.context(height, {"blockhash": blockhash, "lastValidBlockHeight": height + VALID_BLOCKS})


def get_block_height(call: Call) -> int:
    """Return the block height."""
    return call.height()


def get_slot(call: Call) -> int:
    """Return the slot of the newest block."""
    return call.node.chain.blocks.slot_of(call.height())


def get_epoch_info(call: Call) -> dict[str, int]:
    """Return the epoch, and where it is."""
    height = call.height()
    slot = call.node.chain.blocks.slot_of(height)
    return {
        "absoluteSlot": slot,
        "blockHeight": height,
        "epoch": slot // SLOTS_PER_EPOCH,
        "slotIndex": slot % SLOTS_PER_EPOCH,
        "slotsInEpoch": SLOTS_PER_EPOCH,
        "transactionCount": call.node.chain.transaction_count(height),
    }


def get_block_time(call: Call) -> int | None:
    """Return the time of the block in a slot, in seconds; null for a slot that is not final and has none."""
    slot = call.param(0)
    if type(slot) is not int or not 0 <= slot < 2**64:
        raise RpcError(INVALID_PARAMS, f"Invalid params: invalid slot {slot!r}, expected u64.")
    blocks, newest, first = call.node.chain.blocks, call.newest - (call.behind or 0), call.first_height()
    height = blocks.height_in(slot)
    if slot < blocks.slot_of(first):
        message = f"Block {slot} cleaned up, does not exist on node. First available block: {blocks.slot_of(first)}"
        raise RpcError(BLOCK_CLEANED_UP, message)
    if height is None and slot < blocks.slot_of(newest - FINAL_BLOCKS):
        message = f"Slot {slot} was skipped, or missing due to ledger jump to recent snapshot"
        raise RpcError(SLOT_SKIPPED, message)
    if height is None or height > newest:
        return None
    return (blocks.time_of(height) + int(call.inject(FaultKind.CLOCK_SKEW) or 0)) // 1000


def get_first_available_block(call: Call) -> int:
    """Return the slot of the oldest block that the node has."""
    return call.node.chain.blocks.slot_of(call.first_height())


def is_blockhash_valid(call: Call) -> dict[str, Any]:
    """Return whether a transaction may still use the blockhash."""
    height = call.height()
    try:
        blockhash = Hash.from_string(call.param(0))
    except (ParseHashError, TypeError):
        raise RpcError(INVALID_PARAMS, "Invalid param: WrongSize") from None
    return call.context(height, call.node.chain.blocks.valid(blockhash, height))


def get_fee_for_message(call: Call) -> dict[str, Any]:
    """Return the fee; null if the blockhash is not valid."""
    height = call.height()
    try:
        message = from_bytes_versioned(call.data(0, "base64"))
    except Exception as error:  # noqa: BLE001  whatever the parser dislikes
        raise RpcError(INVALID_PARAMS, f"failed to deserialize message: {error}") from None
    valid = call.node.chain.blocks.valid(message.recent_blockhash, height)
    return call.context(height, fee_of(message) if valid else None)


def get_recent_prioritization_fees(call: Call) -> list[dict[str, int]]:
    """Return the lowest price per compute unit of each recent block, in micro-lamports."""
    first = call.newest - VALID_BLOCKS + 1
    lowest: dict[int, int] = {}
    for landed in call.node.chain.recent(first):
        price = price_of(landed.transaction.message)
        lowest[landed.height] = min(price, lowest.get(landed.height, price))
    slot_of = call.node.chain.blocks.slot_of
    return [
        {"slot": slot_of(height), "prioritizationFee": lowest.get(height, 0)}
        for height in range(first, call.newest + 1)
    ]


def get_minimum_balance_for_rent_exemption(call: Call) -> int:
    """Return the rent-exempt minimum of an account of this size."""
    return call.node.chain.machine.rent(int(call.param(0)))


def get_health(call: Call) -> str:
    """Return "ok", or an error while the node is behind."""
    refuse_if_behind(call)
    return "ok"


def get_version(_: Call) -> dict[str, Any]:
    """Return the version of the node's software."""
    return {"feature-set": 3640012085, "solana-core": API_VERSION}


def get_genesis_hash(_: Call) -> str:
    """Return a genesis hash of no real cluster."""
    return base58(hashlib.sha256(b"strandline").digest())


def refuse_if_behind(call: Call) -> None:
    """Raise the error of a node that is behind."""
    if call.behind is not None:
        message = f"Node is behind by {call.behind} slots"
        raise RpcError(NODE_BEHIND, message, {"numSlotsBehind": call.behind})
