"""JSON-RPC methods for blocks, the node and fees."""

import hashlib
from typing import Any

from solders.hash import Hash, ParseHashError
from solders.message import from_bytes_versioned

from strandline_sim.solana.blocks import VALID_BLOCKS
from strandline_sim.solana.encoding import base58
from strandline_sim.solana.rpc_call import API_VERSION, INVALID_PARAMS, NODE_BEHIND, Call, RpcError
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
