"""The answers of Solana's JSON-RPC, by method and encoding."""

from typing import Final

from tests.strandline_sim.contract.schemas.build import (
    BOOLEAN,
    NATURAL,
    NULL,
    NUMBER,
    STRING,
    WORDS,
    Schema,
    array,
    either,
    literal,
    more,
    nullable,
    record,
    row,
    text,
)

_BASE58: Final = "[1-9A-HJ-NP-Za-km-z]"
_BASE64: Final = "(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"
ADDRESS: Final = text(f"{_BASE58}{{32,44}}")
SIGNATURE: Final = text(f"{_BASE58}{{64,88}}")
BLOCKHASH: Final = ADDRESS
_WHOLE: Final = text("0|[1-9][0-9]*")
_SECONDS: Final[Schema] = {"type": "integer", "minimum": 1_000_000_000, "maximum": 9_999_999_999}
_COMMITMENT: Final = literal("processed", "confirmed", "finalized")
IN_BASE58: Final = row(text(f"{_BASE58}*"), literal("base58"))
IN_BASE64: Final = row(text(_BASE64), literal("base64"))

_INSTRUCTION_ERROR: Final = either(text("[A-Z][A-Za-z]+"), {"title": "Custom", **record(Custom=NATURAL)})
_ERROR: Final = either(
    text("[A-Z][A-Za-z]+"),
    {"title": "InstructionError", **record(InstructionError=row(NATURAL, _INSTRUCTION_ERROR))},
    {"title": "InsufficientFundsForRent", **record(InsufficientFundsForRent=record(account_index=NATURAL))},
)
_STATUS: Final = either({"title": "Ok", **record(Ok=NULL)}, {"title": "Err", **record(Err=_ERROR)})
_AMOUNT: Final = record(
    amount=_WHOLE, decimals=NATURAL, uiAmount=NUMBER, uiAmountString=text(r"(0|[1-9][0-9]*)(\.[0-9]*[1-9])?")
)

_DATA: Final = {
    "": text(f"{_BASE58}*"),
    "base58": IN_BASE58,
    "base64": IN_BASE64,
    "base64+zstd": row(text(_BASE64), literal("base64+zstd")),
}
_TOKEN_PROGRAM: Final = literal("spl-token", "spl-token-2022")
_EXTENSIONS: Final = array(
    either(
        {"title": "immutableOwner", **record(extension=literal("immutableOwner"))},
        {
            "title": "transferFeeAmount",
            **record(extension=literal("transferFeeAmount"), state=record(withheldAmount=NATURAL)),
        },
    ),
    least=1,
)
_FEE_CONFIG: Final = record(
    extension=literal("transferFeeConfig"),
    state=record(
        transferFeeConfigAuthority=nullable(ADDRESS),
        withdrawWithheldAuthority=nullable(ADDRESS),
        withheldAmount=NATURAL,
        **dict.fromkeys(
            ("olderTransferFee", "newerTransferFee"),
            record(epoch=NATURAL, maximumFee=NATURAL, transferFeeBasisPoints=NATURAL),
        ),
    ),
)
_HOLDING: Final = record(
    isNative=literal(False),
    mint=ADDRESS,
    owner=ADDRESS,
    state=literal("initialized", "uninitialized", "frozen"),
    tokenAmount=_AMOUNT,
    optional={"delegate": ADDRESS, "delegatedAmount": _AMOUNT, "closeAuthority": ADDRESS},
)
_MINT: Final = record(
    decimals=NATURAL,
    freezeAuthority=nullable(ADDRESS),
    isInitialized=BOOLEAN,
    mintAuthority=nullable(ADDRESS),
    supply=_WHOLE,
)


def _parsed(kind: str, program: str, info: Schema) -> Schema:
    return {
        "title": f"{program} {kind}",
        **record(program=literal(program), parsed=record(type=literal(kind), info=info), space=NATURAL),
    }


PARSED_DATA: Final = either(
    _parsed("account", "spl-token", _HOLDING),
    {
        **_parsed("account", "spl-token", more(_HOLDING, isNative=literal(True), rentExemptReserve=_AMOUNT)),
        "title": "native account",
    },
    _parsed("account", "spl-token-2022", more(_HOLDING, extensions=_EXTENSIONS)),
    _parsed("mint", "spl-token", _MINT),
    _parsed("mint", "spl-token-2022", more(_MINT, optional={"extensions": array(_FEE_CONFIG, least=1)})),
    IN_BASE64,
)


def _account(data: Schema) -> Schema:
    return record(
        data=data,
        executable=BOOLEAN,
        lamports=NATURAL,
        owner=ADDRESS,
        rentEpoch={"type": "integer", "minimum": 0, "maximum": 2**64 - 1},
        space=NATURAL,
    )


_ACCOUNTS: Final = {
    **{encoding: _account(data) for encoding, data in _DATA.items()},
    "jsonParsed": _account(PARSED_DATA),
}

_HEADER: Final = record(
    numReadonlySignedAccounts=NATURAL, numReadonlyUnsignedAccounts=NATURAL, numRequiredSignatures=NATURAL
)
_COMPILED: Final = record(
    programIdIndex=NATURAL, accounts=array(NATURAL), data=text(f"{_BASE58}*"), stackHeight=nullable(NATURAL)
)
_DESCRIBED: Final = either(
    {
        "title": "parsed",
        **record(
            programId=ADDRESS,
            stackHeight=nullable(NATURAL),
            program=literal("system", "spl-token", "spl-associated-token-account", "spl-memo"),
            parsed=either(STRING, {"title": "parsed", **record(type=WORDS, info={"type": "object"})}),
        ),
    },
    {
        "title": "plain",
        **record(
            programId=ADDRESS,
            stackHeight=nullable(NATURAL),
            accounts=array(ADDRESS),
            data=text(f"{_BASE58}*"),
        ),
    },
)
_LOOKUPS: Final = {
    "addressTableLookups": array(
        record(accountKey=ADDRESS, writableIndexes=array(NATURAL), readonlyIndexes=array(NATURAL))
    )
}
_TOKEN_BALANCES: Final = array(
    record(accountIndex=NATURAL, mint=ADDRESS, owner=ADDRESS, programId=ADDRESS, uiTokenAmount=_AMOUNT)
)
_RETURN_DATA: Final = record(programId=ADDRESS, data=IN_BASE64)


def _inner(instruction: Schema) -> Schema:
    return array(record(index=NATURAL, instructions=array(instruction, least=1)))


_PARSED_META: Final = record(
    err=nullable(_ERROR),
    status=_STATUS,
    fee=NATURAL,
    preBalances=array(NATURAL, least=1),
    postBalances=array(NATURAL, least=1),
    preTokenBalances=_TOKEN_BALANCES,
    postTokenBalances=_TOKEN_BALANCES,
    innerInstructions=_inner(_DESCRIBED),
    logMessages=array(WORDS),
    computeUnitsConsumed=NATURAL,
    rewards=array(record()),
    optional={"returnData": _RETURN_DATA, "costUnits": NATURAL},
)
_META: Final = more(
    _PARSED_META,
    innerInstructions=_inner(_COMPILED),
    loadedAddresses=record(writable=array(ADDRESS), readonly=array(ADDRESS)),
)


def _transaction(transaction: Schema, meta: Schema = _META) -> Schema:
    return nullable(
        record(
            slot=NATURAL,
            blockTime=nullable(_SECONDS),
            transaction=transaction,
            meta=meta,
            optional={"version": literal("legacy", 0)},
        )
    )


def _message(**different: Schema) -> Schema:
    message = record(recentBlockhash=BLOCKHASH, optional=_LOOKUPS, **different)
    return record(signatures=array(SIGNATURE, least=1), message=message)


_JSON: Final = _message(accountKeys=array(ADDRESS, least=1), header=_HEADER, instructions=array(_COMPILED))
_JSON_PARSED: Final = _message(
    accountKeys=array(
        record(pubkey=ADDRESS, signer=BOOLEAN, writable=BOOLEAN, source=literal("transaction", "lookupTable")),
        least=1,
    ),
    instructions=array(_DESCRIBED),
)
SIMULATED: Final = record(
    err=nullable(_ERROR),
    logs=nullable(array(WORDS)),
    accounts=nullable(array(nullable(_ACCOUNTS["base64"]))),
    unitsConsumed=NATURAL,
    returnData=nullable(_RETURN_DATA),
    innerInstructions=nullable(_inner(_COMPILED)),
    optional={"replacementBlockhash": record(blockhash=BLOCKHASH, lastValidBlockHeight=NATURAL)},
)


def _at_slot(value: Schema) -> Schema:
    return record(context=record(slot=NATURAL, optional={"apiVersion": text(r"[0-9]+\.[0-9]+\.[0-9]+")}), value=value)


RESULTS: Final[dict[str, Schema]] = {
    **{f"getAccountInfo {encoding}".strip(): _at_slot(nullable(one)) for encoding, one in _ACCOUNTS.items()},
    **{
        f"getMultipleAccounts {encoding}".strip(): _at_slot(array(nullable(one))) for encoding, one in _ACCOUNTS.items()
    },
    **{
        f"getTokenAccountsByOwner {encoding}".strip(): _at_slot(array(record(pubkey=ADDRESS, account=one)))
        for encoding, one in _ACCOUNTS.items()
        if encoding not in {"", "base58"}  # a token account is too long for these
    },
    "getBalance": _at_slot(NATURAL),
    "getBlockHeight": NATURAL,
    "getBlockTime": nullable(_SECONDS),
    "getEpochInfo": record(
        absoluteSlot=NATURAL,
        blockHeight=NATURAL,
        epoch=NATURAL,
        slotIndex=NATURAL,
        slotsInEpoch=NATURAL,
        transactionCount=nullable(NATURAL),
    ),
    "getFeeForMessage": _at_slot(nullable(NATURAL)),
    "getFirstAvailableBlock": NATURAL,
    "getGenesisHash": BLOCKHASH,
    "getHealth": literal("ok"),
    "getLatestBlockhash": _at_slot(record(blockhash=BLOCKHASH, lastValidBlockHeight=NATURAL)),
    "getMinimumBalanceForRentExemption": NATURAL,
    "getRecentPrioritizationFees": array(record(slot=NATURAL, prioritizationFee=NATURAL), most=150),
    "getSignaturesForAddress": array(
        record(
            signature=SIGNATURE,
            slot=NATURAL,
            err=nullable(_ERROR),
            memo=nullable(text(r"\[[0-9]+\] .*")),
            blockTime=nullable(_SECONDS),
            confirmationStatus=literal("confirmed", "finalized"),
            optional={"transactionIndex": NATURAL},
        ),
        most=1000,
    ),
    "getSignatureStatuses": _at_slot(
        array(
            nullable(
                record(
                    slot=NATURAL,
                    confirmations=nullable(NATURAL),
                    err=nullable(_ERROR),
                    status=_STATUS,
                    confirmationStatus=_COMMITMENT,
                )
            )
        )
    ),
    "getSlot": NATURAL,
    "getTokenAccountBalance": _at_slot(_AMOUNT),
    "getTokenSupply": _at_slot(_AMOUNT),
    "getTransaction json": _transaction(_JSON),
    "getTransaction jsonParsed": _transaction(_JSON_PARSED, _PARSED_META),
    "getTransaction base58": _transaction(IN_BASE58),
    "getTransaction base64": _transaction(IN_BASE64),
    "getVersion": record(**{"feature-set": NATURAL, "solana-core": text(r"[0-9]+\.[0-9]+\.[0-9]+")}),
    "isBlockhashValid": _at_slot(BOOLEAN),
    "minimumLedgerSlot": NATURAL,
    "requestAirdrop": SIGNATURE,
    "sendTransaction": SIGNATURE,
    "simulateTransaction": _at_slot(SIMULATED),
}


def _refusal(code: int, data: Schema | None = None) -> Schema:
    more_of_it = {} if data is None else {"data": data}
    return {"title": str(code), **record(code=literal(code), message=WORDS, **more_of_it)}


REFUSALS: Final = either(
    *(_refusal(code) for code in (-32700, -32600, -32601, -32602, -32003, -32001, -32007, -32015)),
    _refusal(-32002, SIMULATED),
    _refusal(-32005, record(numSlotsBehind=NATURAL)),
    _refusal(-32016, record(contextSlot=NATURAL)),
)


def responses() -> dict[str, Schema]:
    """Describe the whole responses, and the one that is an error."""
    whole = {"jsonrpc": literal("2.0"), "id": literal(1)}
    return {
        **{name: record(**whole, result=result) for name, result in RESULTS.items()},
        "error": record(**{**whole, "id": literal(1, None)}, error=REFUSALS),
    }
