"""JSON-RPC methods that simulate and send transactions."""

import base64
from typing import Any

from solders.message import MessageV1
from solders.transaction import VersionedTransaction

from strandline_sim.solana.machine import Error, Outcome
from strandline_sim.solana.rpc_accounts import account_json
from strandline_sim.solana.rpc_blocks import refuse_if_behind
from strandline_sim.solana.rpc_call import BAD_SIGNATURE, INVALID_PARAMS, SIMULATION_FAILED, Call, RpcError, address_of
from strandline_sim.solana.transactions import MAX_BYTES, has_valid_signatures

_TEXTS = {
    "BlockhashNotFound": "Blockhash not found",
    "AlreadyProcessed": "This transaction has already been processed",
    "AccountNotFound": "Attempt to debit an account but found no record of a prior credit.",
    "InsufficientFundsForFee": "Insufficient funds for fee",
    "ProgramAccountNotFound": "Attempt to load a program that does not exist",
    "AddressLookupTableNotFound": "Transaction address table lookup uses an account that does not exist",
}


def send_transaction(call: Call) -> str:
    """Accept a signed transaction, after a preflight check unless skipped, and forward it."""
    transaction = _decoded(call)
    if not call.options.get("skipPreflight"):
        _preflight(call, transaction)
    retries = call.options.get("maxRetries")
    return call.node.chain.receive(transaction, None if retries is None else int(retries))


def simulate_transaction(call: Call) -> dict[str, Any]:
    """Simulate a transaction."""
    transaction = _decoded(call)
    verify, replace = bool(call.options.get("sigVerify")), bool(call.options.get("replaceRecentBlockhash"))
    if verify and replace:
        raise RpcError(INVALID_PARAMS, "sigVerify may not be used with replaceRecentBlockhash")
    if verify and not has_valid_signatures(transaction):
        raise RpcError(BAD_SIGNATURE, "Transaction signature verification failure")
    height = call.height()
    error, outcome = call.node.chain.simulate(transaction, height, replace_blockhash=replace)
    value = _simulated(error, outcome)
    value["accounts"] = _accounts_after(call, outcome)
    value["innerInstructions"] = outcome.inner if outcome and call.options.get("innerInstructions") else None
    if replace:
        blockhash = call.node.chain.blocks.hash_of(height)
        last = call.node.chain.last_valid_height(blockhash)
        value["replacementBlockhash"] = {"blockhash": str(blockhash), "lastValidBlockHeight": last}
    return call.context(height, value)


def _preflight(call: Call, transaction: VersionedTransaction) -> None:
    signature = str(transaction.signatures[0])
    if not has_valid_signatures(transaction):
        call.node.chain.note("refused", {"signature": signature, "reason": "SignatureFailure"})
        raise RpcError(BAD_SIGNATURE, "Transaction signature verification failure")
    refuse_if_behind(call)
    error, outcome = call.node.chain.simulate(transaction, call.height("preflightCommitment"))
    if error is not None:
        call.node.chain.note("refused", {"signature": signature, "reason": _text(error)})
        data = {**_simulated(error, outcome), "accounts": None, "innerInstructions": None}
        raise RpcError(SIMULATION_FAILED, f"Transaction simulation failed: {_text(error)}", data)


def _decoded(call: Call) -> VersionedTransaction:
    raw = call.data(0, "base58")
    if len(raw) > MAX_BYTES:
        raise RpcError(
            INVALID_PARAMS, f"decoded solana_transaction too large: {len(raw)} bytes (max: {MAX_BYTES} bytes)"
        )
    try:
        transaction = VersionedTransaction.from_bytes(raw)
        transaction.sanitize()
    except Exception as error:  # noqa: BLE001  whatever the parser dislikes
        raise RpcError(INVALID_PARAMS, f"failed to deserialize solana_transaction: {error}") from None
    if isinstance(transaction.message, MessageV1):
        raise RpcError(INVALID_PARAMS, "failed to deserialize solana_transaction: version 1 is not known")
    return transaction


def _simulated(error: Error | None, outcome: Outcome | None) -> dict[str, Any]:
    returned = None
    if outcome is not None and outcome.returned is not None:
        program, data = outcome.returned
        returned = {"programId": program, "data": [base64.b64encode(data).decode(), "base64"]}
    return {
        "err": error,
        "logs": outcome.logs if outcome is not None else [],
        "unitsConsumed": outcome.units if outcome is not None else 0,
        "returnData": returned,
    }


def _accounts_after(call: Call, outcome: Outcome | None) -> list[Any] | None:
    wanted = call.options.get("accounts")
    if not wanted or outcome is None:
        return None
    call.options["encoding"] = wanted.get("encoding") or "base64"
    states = (outcome.accounts.get(address_of(address)) for address in wanted.get("addresses", ()))
    return [None if state is None else account_json(call, state) for state in states]


def _text(error: Error) -> str:
    """Format an error as the node does."""
    if isinstance(error, str):
        return _TEXTS.get(error, error)
    if "InstructionError" in error:
        index, kind = error["InstructionError"]
        custom = kind.get("Custom") if isinstance(kind, dict) else None
        what = f"custom program error: {custom:#x}" if custom is not None else str(kind)
        return f"Error processing Instruction {index}: {what}"
    if "InsufficientFundsForRent" in error:
        index = error["InsufficientFundsForRent"]["account_index"]
        return f"Transaction results in an account ({index}) with insufficient funds for rent"
    return str(error)
