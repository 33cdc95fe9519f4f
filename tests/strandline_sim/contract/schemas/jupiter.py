"""The answers of Jupiter, by path, and its refusals, by status."""

from typing import Final

from tests.strandline_sim.contract.schemas.build import (
    BOOLEAN,
    NATURAL,
    NULL,
    NUMBER,
    POSITIVE,
    WORDS,
    Schema,
    array,
    either,
    literal,
    mapping,
    nullable,
    record,
    text,
)
from tests.strandline_sim.contract.schemas.solana_rpc import ADDRESS

_AMOUNT: Final = text("[1-9][0-9]*")
_ANY_AMOUNT: Final = text("0|[1-9][0-9]*")
_BASE64: Final = text("(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_BPS: Final[Schema] = {"type": "integer", "minimum": 0, "maximum": 10_000}
_WORTH: Final[Schema] = {"type": "number", "minimum": 0}
_STEP: Final = record(
    swapInfo=record(
        ammKey=ADDRESS,
        label=WORDS,
        inputMint=ADDRESS,
        outputMint=ADDRESS,
        inAmount=_AMOUNT,
        outAmount=_AMOUNT,
        optional={"feeAmount": _ANY_AMOUNT, "feeMint": ADDRESS},
    ),
    percent={"type": "integer", "minimum": 0, "maximum": 100},
    bps=_BPS,
)
_INSTRUCTION: Final = record(
    programId=ADDRESS,
    accounts=array(record(pubkey=ADDRESS, isSigner=BOOLEAN, isWritable=BOOLEAN)),
    data=_BASE64,
)
_BYTE: Final[Schema] = {"type": "integer", "minimum": 0, "maximum": 255}

ANSWERS: Final[dict[str, Schema]] = {
    "GET /swap/v2/quote": record(
        inputMint=ADDRESS,
        inAmount=_AMOUNT,
        outputMint=ADDRESS,
        outAmount=_AMOUNT,
        otherAmountThreshold=_ANY_AMOUNT,
        swapMode=literal("ExactIn"),
        slippageBps=_BPS,
        priceImpactPct=text(r"-?[0-9]+(\.[0-9]+)?"),
        routePlan=array(_STEP, least=1),
        contextSlot=NATURAL,
        timeTaken=NUMBER,
        optional={"platformFee": NULL},
    ),
    "POST /swap/v2/swap": record(
        swapTransaction=_BASE64,
        lastValidBlockHeight=NATURAL,
        prioritizationFeeLamports=NATURAL,
        computeUnitPrice=_ANY_AMOUNT,
    ),
    "POST /swap/v2/swap-instructions": record(
        computeBudgetInstructions=array(_INSTRUCTION),
        setupInstructions=array(_INSTRUCTION),
        swapInstruction=_INSTRUCTION,
        cleanupInstruction=nullable(_INSTRUCTION),
        otherInstructions=array(_INSTRUCTION),
        tipInstruction=nullable(_INSTRUCTION),
        addressesByLookupTableAddress=nullable(mapping(array(ADDRESS))),
        blockhashWithMetadata=record(blockhash=array(_BYTE, least=32, most=32), lastValidBlockHeight=NATURAL),
        optional={"addressLookupTableAddresses": array(ADDRESS)},  # V1's
    ),
    "GET /swap/v2/program-id-to-label": mapping(WORDS, ADDRESS["pattern"]),
    "GET /price/v3": mapping(
        record(
            usdPrice=POSITIVE,
            blockId=nullable(NATURAL),
            decimals=NATURAL,
            priceChange24h=nullable(NUMBER),
            liquidity=NUMBER,
            createdAt=text("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z"),
        ),
        ADDRESS["pattern"],
    ),
    "GET /tokens/v2/search": array(
        record(
            id=ADDRESS,
            name=WORDS,
            symbol=WORDS,
            icon=nullable(WORDS),
            decimals=NATURAL,
            tokenProgram=ADDRESS,
            isVerified=BOOLEAN,
            tags=array(WORDS),
            organicScore=NUMBER,
            usdPrice=nullable(POSITIVE),
            liquidity=nullable(NUMBER),
            mcap=nullable(_WORTH),
            fdv=nullable(_WORTH),
            audit=record(
                mintAuthorityDisabled=BOOLEAN,
                freezeAuthorityDisabled=BOOLEAN,
                optional={"isSus": BOOLEAN, "topHoldersPercentage": NUMBER},
            ),
            optional={"mintAuthority": ADDRESS, "freezeAuthority": ADDRESS},
        )
    ),
}

_CODES: Final = literal(
    "COULD_NOT_FIND_ANY_ROUTE",
    "TOKEN_NOT_TRADABLE",
    "NOT_SUPPORTED",
    "CIRCULAR_ARBITRAGE_IS_DISABLED",
    "INVALID_COMPUTE_UNIT_PRICE_AND_PRIORITIZATION_FEE",
)
REFUSALS: Final[dict[str, Schema]] = {
    "400": either(
        {"title": "with a code", **record(error=WORDS, errorCode=_CODES)}, {"title": "plain", **record(error=WORDS)}
    ),
    "401": record(code=literal(401), message=literal("Unauthorized")),
    # What is not simulated says so, instead of the gateway's text.
    "404": record(error=text("[A-Z]+ /.* is not simulated"), errorCode=literal("NOT_FOUND")),
    "422": record(error=WORDS),
    "429": literal("[API Gateway] Too many requests"),
}
