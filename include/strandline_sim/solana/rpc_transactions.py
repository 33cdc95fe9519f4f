"""JSON-RPC methods for landed transactions."""

import base64
from typing import Any, Final

from solders.message import MessageV0

from strandline_sim.faults import FaultKind
from strandline_sim.solana.blocks import FINAL_BLOCKS, VALID_BLOCKS, Commitment
from strandline_sim.solana.encoding import base58
from strandline_sim.solana.landed import Balance, Landed
from strandline_sim.solana.parsed_accounts import ui_amount
from strandline_sim.solana.parsed_instructions import memo_of
from strandline_sim.solana.parsed_transaction import lookups_json, parsed_inner, parsed_message
from strandline_sim.solana.rpc_call import INVALID_PARAMS, UNSUPPORTED_VERSION, Call, RpcError
from strandline_sim.solana.transactions import AnyMessage, calls_of

_MAX_STATUSES: Final = 256
_MAX_SIGNATURES: Final = 1000


def get_signature_statuses(call: Call) -> dict[str, Any]:
    """Return the statuses, null for unknown ones; without searchTransactionHistory only recent blocks are searched."""
    signatures = call.param(0)
    if not isinstance(signatures, list) or len(signatures) > _MAX_STATUSES:
        raise RpcError(INVALID_PARAMS, f"Too many inputs provided; max {_MAX_STATUSES}")
    height = call.newest - (call.behind or 0)
    oldest = height - VALID_BLOCKS - FINAL_BLOCKS
    if call.options.get("searchTransactionHistory"):
        oldest = min(oldest, call.first_height())
    hidden = call.inject(FaultKind.LAG) is not None
    statuses = []
    for signature in signatures:
        landed = call.node.chain.landed(signature)
        seen = landed is not None and oldest <= landed.height <= height and not hidden
        statuses.append(_status(call, landed, height) if landed is not None and seen else None)
    return call.context(height, statuses)


def get_transaction(call: Call) -> dict[str, Any] | None:
    """Return a transaction with its effects; null until it is confirmed."""
    if call.commitment() is Commitment.PROCESSED:
        raise RpcError(INVALID_PARAMS, "Method does not support commitment below `confirmed`")
    landed = call.node.chain.landed(call.param(0))
    if landed is None or not call.first_height() <= landed.height <= call.height():
        return None
    if call.inject(FaultKind.LAG) is not None:
        return None
    encoding = call.options.get("encoding") or "json"
    skew = call.inject(FaultKind.CLOCK_SKEW) or 0
    blocks = call.node.chain.blocks
    answer: dict[str, Any] = {
        "slot": blocks.slot_of(landed.height),
        "blockTime": int(blocks.time_of(landed.height) + skew) // 1000,
        "transaction": _transaction(landed, encoding),
        "meta": _parsed_meta(landed) if encoding == "jsonParsed" else _meta(landed),
    }
    return {**answer, **_version(landed, call.options.get("maxSupportedTransactionVersion"))}


def get_signatures_for_address(call: Call) -> list[dict[str, Any]]:
    """Return the signatures of transactions that name an address, newest first."""
    if call.commitment() is Commitment.PROCESSED:
        raise RpcError(INVALID_PARAMS, "Method does not support commitment below `confirmed`")
    limit = int(call.options.get("limit") or _MAX_SIGNATURES)
    if not 1 <= limit <= _MAX_SIGNATURES:
        raise RpcError(INVALID_PARAMS, f"Invalid limit; max {_MAX_SIGNATURES}")
    signatures = call.node.chain.signatures_of(str(call.address(0)))[::-1]
    before, until = call.options.get("before"), call.options.get("until")
    if before in signatures:
        signatures = signatures[signatures.index(before) + 1 :]
    if until in signatures:
        signatures = signatures[: signatures.index(until)]
    first, height = call.first_height(), call.height()
    landed = (call.node.chain.landed(signature) for signature in signatures)
    return [_line(call, one) for one in landed if one is not None and first <= one.height <= height][:limit]


def _line(call: Call, landed: Landed) -> dict[str, Any]:
    blocks = call.node.chain.blocks
    return {
        "signature": landed.signature,
        "slot": blocks.slot_of(landed.height),
        "err": landed.error,
        "memo": memo_of(calls_of(landed.transaction.message, landed.keys)),
        "blockTime": blocks.time_of(landed.height) // 1000,
        "confirmationStatus": _commitment(call.newest - landed.height),
    }


def _status(call: Call, landed: Landed, height: int) -> dict[str, Any]:
    depth = height - landed.height
    return {
        "slot": call.node.chain.blocks.slot_of(landed.height),
        "confirmations": depth if depth < FINAL_BLOCKS else None,
        "err": landed.error,
        "status": {"Ok": None} if landed.error is None else {"Err": landed.error},
        "confirmationStatus": _commitment(depth),
    }


def _commitment(depth: int) -> Commitment:
    if depth >= Commitment.FINALIZED.depth:
        return Commitment.FINALIZED
    return Commitment.CONFIRMED if depth >= Commitment.CONFIRMED.depth else Commitment.PROCESSED


def _version(landed: Landed, newest_known: int | None) -> dict[str, Any]:
    versioned = isinstance(landed.transaction.message, MessageV0)
    if newest_known is not None:
        return {"version": 0 if versioned else "legacy"}
    if versioned:
        message = (
            "Transaction version (0) is not supported by the requesting client. Please try the request again with "
            'the following configuration parameter: "maxSupportedTransactionVersion": 0'
        )
        raise RpcError(UNSUPPORTED_VERSION, message)
    return {}


def _transaction(landed: Landed, encoding: str) -> object:
    raw = bytes(landed.transaction)
    if encoding == "base64":
        return [base64.b64encode(raw).decode(), "base64"]
    if encoding == "base58":
        return [base58(raw), "base58"]
    if encoding not in {"json", "jsonParsed"}:
        raise RpcError(INVALID_PARAMS, f"Invalid params: unknown variant `{encoding}`.")
    signatures = [str(signature) for signature in landed.transaction.signatures]
    message = _message(landed.transaction.message) if encoding == "json" else parsed_message(landed)
    return {"signatures": signatures, "message": message}


def _message(message: AnyMessage) -> dict[str, Any]:
    header = message.header
    described: dict[str, Any] = {
        "accountKeys": [str(key) for key in message.account_keys],
        "header": {
            "numReadonlySignedAccounts": header.num_readonly_signed_accounts,
            "numReadonlyUnsignedAccounts": header.num_readonly_unsigned_accounts,
            "numRequiredSignatures": header.num_required_signatures,
        },
        "instructions": [
            {
                "programIdIndex": instruction.program_id_index,
                "accounts": list(instruction.accounts),
                "data": base58(bytes(instruction.data)),
                "stackHeight": 1,
            }
            for instruction in message.instructions
        ],
        "recentBlockhash": str(message.recent_blockhash),
    }
    return {**described, **lookups_json(message)}


def _parsed_meta(landed: Landed) -> dict[str, Any]:
    """Describe the effects; the loaded addresses are among the message's keys."""
    meta = _meta(landed)
    del meta["loadedAddresses"]
    return {**meta, "innerInstructions": parsed_inner(landed)}


def _meta(landed: Landed) -> dict[str, Any]:
    return {
        "err": landed.error,
        "status": {"Ok": None} if landed.error is None else {"Err": landed.error},
        "fee": landed.fee,
        "preBalances": [balance.lamports for balance in landed.before],
        "postBalances": [balance.lamports for balance in landed.after],
        "preTokenBalances": _token_balances(landed.before),
        "postTokenBalances": _token_balances(landed.after),
        "innerInstructions": landed.inner,
        "logMessages": landed.logs,
        "loadedAddresses": {
            "writable": [str(key) for key in landed.loaded.writable],
            "readonly": [str(key) for key in landed.loaded.readonly],
        },
        "computeUnitsConsumed": landed.units,
        "rewards": [],
    }


def _token_balances(balances: list[Balance]) -> list[dict[str, Any]]:
    return [
        {
            "accountIndex": index,
            "mint": str(balance.holding.mint),
            "owner": str(balance.holding.owner),
            "programId": str(balance.program),
            "uiTokenAmount": ui_amount(balance.holding.amount, balance.decimals),
        }
        for index, balance in enumerate(balances)
        if balance.holding is not None
    ]
