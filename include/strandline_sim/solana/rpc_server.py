"""The JSON-RPC server: dispatches single calls and batches to methods."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from aiohttp import web

from strandline_sim.solana.rpc_accounts import (
    get_account_info,
    get_balance,
    get_multiple_accounts,
    get_token_account_balance,
    get_token_accounts_by_owner,
    get_token_supply,
)
from strandline_sim.solana.rpc_blocks import (
    get_block_height,
    get_block_time,
    get_epoch_info,
    get_fee_for_message,
    get_first_available_block,
    get_genesis_hash,
    get_health,
    get_latest_blockhash,
    get_minimum_balance_for_rent_exemption,
    get_recent_prioritization_fees,
    get_slot,
    get_version,
    is_blockhash_valid,
)
from strandline_sim.solana.rpc_call import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    Call,
    Json,
    Node,
    RpcError,
)
from strandline_sim.solana.rpc_send import send_transaction, simulate_transaction
from strandline_sim.solana.rpc_transactions import get_signature_statuses, get_signatures_for_address, get_transaction
from strandline_sim.web import MalformedJsonError, decode_json, fault_middleware, json_response

Method = Callable[[Call], Any]

# Each with the position of its options.
METHODS: Final[dict[str, tuple[Method, int]]] = {
    "getAccountInfo": (get_account_info, 1),
    "getBalance": (get_balance, 1),
    "getBlockHeight": (get_block_height, 0),
    "getBlockTime": (get_block_time, 1),
    "getEpochInfo": (get_epoch_info, 0),
    "getFeeForMessage": (get_fee_for_message, 1),
    "getFirstAvailableBlock": (get_first_available_block, 0),
    "getGenesisHash": (get_genesis_hash, 0),
    "getHealth": (get_health, 0),
    "getLatestBlockhash": (get_latest_blockhash, 0),
    "getMinimumBalanceForRentExemption": (get_minimum_balance_for_rent_exemption, 1),
    "getMultipleAccounts": (get_multiple_accounts, 1),
    "getRecentPrioritizationFees": (get_recent_prioritization_fees, 1),
    "getSignatureStatuses": (get_signature_statuses, 1),
    "getSignaturesForAddress": (get_signatures_for_address, 1),
    "getSlot": (get_slot, 0),
    "getTokenAccountBalance": (get_token_account_balance, 1),
    "getTokenAccountsByOwner": (get_token_accounts_by_owner, 2),
    "getTokenSupply": (get_token_supply, 1),
    "getTransaction": (get_transaction, 1),
    "getVersion": (get_version, 0),
    "minimumLedgerSlot": (get_first_available_block, 0),
    "isBlockhashValid": (is_blockhash_valid, 1),
    "sendTransaction": (send_transaction, 1),
    "simulateTransaction": (simulate_transaction, 1),
}


def rpc_app(node: Node, request_airdrop: Method) -> web.Application:
    """Make the application, which handles POST on `/`."""
    methods = {**METHODS, "requestAirdrop": (request_airdrop, 2)}

    async def answer(request: web.Request) -> web.Response:
        try:
            body = decode_json(await request.read())
        except MalformedJsonError:
            return json_response(_error(None, RpcError(PARSE_ERROR, "Parse error")))
        if isinstance(body, list):
            answers = []
            for call in body:
                answers.append(_answer(node, methods, call))
                await asyncio.sleep(0)  # a long batch keeps nobody else waiting
            return json_response(answers)
        return json_response(_answer(node, methods, body))

    app = web.Application(middlewares=[fault_middleware(node.faults, node.clock, _route)])
    app.router.add_post("/", answer)
    return app


def _route(_: web.Request, body: bytes) -> str:
    try:
        call = decode_json(body)
    except MalformedJsonError:
        return "solana/rpc/malformed"
    return f"solana/rpc/{call.get('method')}" if isinstance(call, dict) else "solana/rpc/batch"


def _answer(node: Node, methods: dict[str, tuple[Method, int]], body: Json) -> dict[str, Any]:
    if not isinstance(body, dict) or body.get("jsonrpc") != "2.0" or not isinstance(body.get("method"), str):
        return _error(None, RpcError(INVALID_REQUEST, "Invalid request"))
    try:
        return {"jsonrpc": "2.0", "result": _result(node, methods, body), "id": body.get("id")}
    except RpcError as error:
        return _error(body.get("id"), error)


def _result(node: Node, methods: dict[str, tuple[Method, int]], body: dict[str, Any]) -> Json:
    name, params = body["method"], body.get("params") or []
    if name not in methods:
        raise RpcError(METHOD_NOT_FOUND, "Method not found")
    if not isinstance(params, list):
        raise RpcError(INVALID_PARAMS, "Invalid params: invalid type: map, expected a sequence.")
    method, options_at = methods[name]
    call = Call(node, name, params, options_at)
    try:
        return method(call)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise RpcError(INVALID_PARAMS, f"Invalid params: {error}.") from error


def _error(identity: Json, error: RpcError) -> dict[str, Any]:
    described = {"code": error.code, "message": error.message}
    if error.data is not None:
        described["data"] = error.data
    return {"jsonrpc": "2.0", "error": described, "id": identity}
