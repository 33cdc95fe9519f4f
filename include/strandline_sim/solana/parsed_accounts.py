"""Parses the accounts of the token programs, which a node describes for `jsonParsed`."""

import struct
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Final

from solders.pubkey import Pubkey
from solders.token.state import Mint, TokenAccount, TokenAccountState

from strandline_sim.solana.token_accounts import (
    FEE_AMOUNT,
    FEE_CONFIG,
    IMMUTABLE_OWNER,
    MINT_SIZE,
    TOKEN_ACCOUNT_SIZE,
    TOKEN_PROGRAM,
    extensions,
    read_holding,
    read_mint,
)

Json = dict[str, Any]
_STATES: Final = (
    (TokenAccountState.Uninitialized, "uninitialized"),
    (TokenAccountState.Initialized, "initialized"),
    (TokenAccountState.Frozen, "frozen"),
)
_EXTENSION: Final = "extension"


def parsed_account(program: Pubkey, data: bytes, decimals_of: Callable[[Pubkey], int]) -> Json | None:
    """Describe a token account or a mint; None for anything else."""
    if read_holding(program, data) is not None:
        kind, info = "account", _holding(TokenAccount.from_bytes(data[:TOKEN_ACCOUNT_SIZE]), decimals_of)
    elif read_mint(program, data) is not None:
        kind, info = "mint", _mint(Mint.from_bytes(data[:MINT_SIZE]))
    else:
        return None
    if found := [_extension(*one) for one in extensions(data)]:
        info["extensions"] = found
    name = "spl-token" if program == TOKEN_PROGRAM else "spl-token-2022"
    return {"program": name, "parsed": {"type": kind, "info": info}, "space": len(data)}


def ui_amount(amount: int, decimals: int) -> Json:
    """Make the JSON of a token amount: raw, and with decimals."""
    shown = Decimal(amount).scaleb(-decimals)
    text = f"{shown:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return {"amount": str(amount), "decimals": decimals, "uiAmount": float(shown), "uiAmountString": text}


def _holding(account: TokenAccount, decimals_of: Callable[[Pubkey], int]) -> Json:
    decimals = decimals_of(account.mint)
    info: Json = {
        "isNative": account.is_native is not None,
        "mint": str(account.mint),
        "owner": str(account.owner),
        "state": next(name for state, name in _STATES if state == account.state),
        "tokenAmount": ui_amount(account.amount, decimals),
    }
    if account.is_native is not None:
        info["rentExemptReserve"] = ui_amount(account.is_native, decimals)
    if account.delegate is not None:
        info |= {"delegate": str(account.delegate), "delegatedAmount": ui_amount(account.delegated_amount, decimals)}
    if account.close_authority is not None:
        info["closeAuthority"] = str(account.close_authority)
    return info


def _mint(mint: Mint) -> Json:
    return {
        "decimals": mint.decimals,
        "freezeAuthority": _optional(mint.freeze_authority),
        "isInitialized": mint.is_initialized,
        "mintAuthority": _optional(mint.mint_authority),
        "supply": str(mint.supply),
    }


def _extension(kind: int, content: bytes) -> Json:
    if kind == FEE_CONFIG:
        return {_EXTENSION: "transferFeeConfig", "state": _fee_config(content)}
    if kind == FEE_AMOUNT:
        return {_EXTENSION: "transferFeeAmount", "state": {"withheldAmount": int.from_bytes(content[:8], "little")}}
    return {_EXTENSION: "immutableOwner" if kind == IMMUTABLE_OWNER else "unparseableExtension"}


def _fee_config(content: bytes) -> Json:
    keys = [key if any(bytes(key)) else None for key in map(Pubkey.from_bytes, (content[:32], content[32:64]))]
    return {
        "transferFeeConfigAuthority": _optional(keys[0]),
        "withdrawWithheldAuthority": _optional(keys[1]),
        "withheldAmount": int.from_bytes(content[64:72], "little"),
        **dict(zip(("olderTransferFee", "newerTransferFee"), _fees(content[72:108]), strict=True)),
    }


def _fees(content: bytes) -> Iterator[Json]:
    for epoch, most, bps in struct.iter_unpack("<QQH", content):
        yield {"epoch": epoch, "maximumFee": most, "transferFeeBasisPoints": bps}


def _optional(key: Pubkey | None) -> str | None:
    return None if key is None else str(key)
