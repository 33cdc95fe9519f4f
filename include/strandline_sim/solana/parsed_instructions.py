"""Parses the instructions that a node parses for `jsonParsed`; anything else it describes by accounts and data."""

import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from solders.pubkey import Pubkey

from strandline_sim.solana.encoding import base58
from strandline_sim.solana.parsed_accounts import ui_amount
from strandline_sim.solana.token_accounts import ATA_PROGRAM, SYSTEM_PROGRAM, TOKEN_PROGRAMS
from strandline_sim.solana.transactions import InstructionCall

_MEMO_PROGRAMS: Final = (
    Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"),
    Pubkey.from_string("Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo"),
)
_AUTHORITIES: Final = ("mintTokens", "freezeAccount", "accountOwner", "closeAccount")
_EXTENSIONS: Final = {2: "transferFeeAmount", 7: "immutableOwner", 13: "nonTransferableAccount"}
_TRANSFER_FEE, _CHECKED_WITH_FEE = 26, 1


class _UnparsableError(ValueError):
    """The node could not parse this instruction either."""


class _Data:
    """The data of an instruction, read from the front."""

    def __init__(self, data: bytes) -> None:
        self._left = data

    def take(self, size: int) -> bytes:
        if len(self._left) < size:
            raise _UnparsableError
        taken, self._left = self._left[:size], self._left[size:]
        return taken

    def number(self, form: str) -> int:
        return int(struct.unpack("<" + form, self.take(struct.calcsize(form)))[0])

    def __bool__(self) -> bool:
        return bool(self._left)


_Field = tuple[str, Callable[[_Data], Any]]


class _Shape(NamedTuple):
    """An instruction: the names of its accounts, then of who signs (or, with more accounts, a multisig), its fields."""

    kind: str
    accounts: tuple[str, ...]
    signer: str = ""
    fields: tuple[_Field, ...] = ()


def _u8(data: _Data) -> int:
    return data.number("B")


def _u64(data: _Data) -> int:
    return data.number("Q")


def _u64_text(data: _Data) -> str:
    return str(data.number("Q"))


def _token_amount(data: _Data) -> dict[str, Any]:
    return ui_amount(data.number("Q"), data.number("B"))


def _key(data: _Data) -> str:
    return str(Pubkey.from_bytes(data.take(32)))


def _optional_key(data: _Data) -> str | None:
    return _key(data) if data.number("B") else None


def _text(data: _Data) -> str:
    try:
        return data.take(_u64(data)).decode()
    except UnicodeDecodeError:
        raise _UnparsableError from None


def _authority(data: _Data) -> str:
    kind = data.number("B")
    if kind >= len(_AUTHORITIES):
        raise _UnparsableError
    return _AUTHORITIES[kind]


def _extensions(data: _Data) -> list[str]:
    kinds = []
    while data:
        kinds.append(data.number("H"))
    if not all(kind in _EXTENSIONS for kind in kinds):
        raise _UnparsableError
    return [_EXTENSIONS[kind] for kind in kinds]


_LAMPORTS, _SPACE, _OWNER = ("lamports", _u64), ("space", _u64), ("owner", _key)
_AMOUNT, _TOKEN_AMOUNT = ("amount", _u64_text), ("tokenAmount", _token_amount)
_MINT: Final = (("decimals", _u8), ("mintAuthority", _key), ("freezeAuthority", _optional_key))

_SYSTEM: Final = {
    0: _Shape("createAccount", ("source", "newAccount"), fields=(_LAMPORTS, _SPACE, _OWNER)),
    1: _Shape("assign", ("account",), fields=(_OWNER,)),
    2: _Shape("transfer", ("source", "destination"), fields=(_LAMPORTS,)),
    3: _Shape(
        "createAccountWithSeed",
        ("source", "newAccount"),
        "",
        (("base", _key), ("seed", _text), _LAMPORTS, _SPACE, _OWNER),
    ),
    8: _Shape("allocate", ("account",), fields=(_SPACE,)),
    11: _Shape(
        "transferWithSeed",
        ("source", "sourceBase", "destination"),
        fields=(_LAMPORTS, ("sourceSeed", _text), ("sourceOwner", _key)),
    ),
}
_TOKEN: Final = {
    0: _Shape("initializeMint", ("mint", "rentSysvar"), fields=_MINT),
    1: _Shape("initializeAccount", ("account", "mint", "owner", "rentSysvar")),
    3: _Shape("transfer", ("source", "destination"), "authority", (_AMOUNT,)),
    4: _Shape("approve", ("source", "delegate"), "owner", (_AMOUNT,)),
    5: _Shape("revoke", ("source",), "owner"),
    6: _Shape(
        "setAuthority", ("account",), "authority", (("authorityType", _authority), ("newAuthority", _optional_key))
    ),
    7: _Shape("mintTo", ("mint", "account"), "mintAuthority", (_AMOUNT,)),
    8: _Shape("burn", ("account", "mint"), "authority", (_AMOUNT,)),
    9: _Shape("closeAccount", ("account", "destination"), "owner"),
    10: _Shape("freezeAccount", ("account", "mint"), "freezeAuthority"),
    11: _Shape("thawAccount", ("account", "mint"), "freezeAuthority"),
    12: _Shape("transferChecked", ("source", "mint", "destination"), "authority", (_TOKEN_AMOUNT,)),
    13: _Shape("approveChecked", ("source", "mint", "delegate"), "owner", (_TOKEN_AMOUNT,)),
    14: _Shape("mintToChecked", ("mint", "account"), "mintAuthority", (_TOKEN_AMOUNT,)),
    15: _Shape("burnChecked", ("account", "mint"), "authority", (_TOKEN_AMOUNT,)),
    16: _Shape("initializeAccount2", ("account", "mint", "rentSysvar"), fields=(_OWNER,)),
    17: _Shape("syncNative", ("account",)),
    18: _Shape("initializeAccount3", ("account", "mint"), fields=(_OWNER,)),
    20: _Shape("initializeMint2", ("mint",), fields=_MINT),
    21: _Shape("getAccountDataSize", ("mint",), fields=(("extensionTypes", _extensions),)),
    22: _Shape("initializeImmutableOwner", ("account",)),
}
_TOKEN_WITH_FEE: Final = _Shape(
    "transferCheckedWithFee", ("source", "mint", "destination"), "authority", (_TOKEN_AMOUNT, ("feeAmount", _u64))
)
_CREATED: Final = ("source", "account", "wallet", "mint", "systemProgram", "tokenProgram")
_NESTED: Final = ("nestedSource", "nestedMint", "destination", "nestedOwner", "ownerMint", "wallet", "tokenProgram")
_ASSOCIATED: Final = {
    0: _Shape("create", _CREATED),
    1: _Shape("createIdempotent", _CREATED),
    2: _Shape("recoverNested", _NESTED),
}


def instruction_json(call: InstructionCall, stack_height: int) -> dict[str, Any]:
    """Describe an instruction: parsed if the node knows it, else by accounts and data."""
    described: dict[str, Any] = {"programId": str(call.program), "stackHeight": stack_height}
    try:
        program, parsed = _parsed(call)
    except _UnparsableError:
        return {**described, "accounts": [str(key) for key in call.accounts], "data": base58(call.data)}
    return {**described, "program": program, "parsed": parsed}


def memo_of(calls: Iterable[InstructionCall]) -> str | None:
    """Return the memos among instructions, each with its length; None if there is none."""
    memos = [call.data for call in calls if call.program in _MEMO_PROGRAMS]
    return "; ".join(f"[{len(data)}] {_memo_text(data)}" for data in memos) or None


def _memo_text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return "(unparseable)"


def _parsed(call: InstructionCall) -> tuple[str, object]:
    data = _Data(call.data)
    if call.program == SYSTEM_PROGRAM:
        return "system", _read(_SYSTEM.get(data.number("I")), call, data)
    if call.program in TOKEN_PROGRAMS:
        return "spl-token", _token(call, data)
    if call.program == ATA_PROGRAM:
        shape = _ASSOCIATED.get(data.number("B")) if call.data else _ASSOCIATED[0]
        return "spl-associated-token-account", _read(shape, call, data)
    if call.program in _MEMO_PROGRAMS:
        try:
            return "spl-memo", call.data.decode()
        except UnicodeDecodeError:
            raise _UnparsableError from None
    raise _UnparsableError


def _token(call: InstructionCall, data: _Data) -> dict[str, Any]:
    tag = data.number("B")
    if tag == _TRANSFER_FEE:
        parsed = _read(_TOKEN_WITH_FEE if data.number("B") == _CHECKED_WITH_FEE else None, call, data)
        parsed["info"]["feeAmount"] = ui_amount(parsed["info"]["feeAmount"], parsed["info"]["tokenAmount"]["decimals"])
        return parsed
    parsed = _read(_TOKEN.get(tag), call, data)
    info = parsed["info"]
    if parsed["type"] == "setAuthority" and info["authorityType"] in _AUTHORITIES[:2]:
        info["mint"] = info.pop("account")
    elif tag in {0, 20} and info["freezeAuthority"] is None:
        del info["freezeAuthority"]
    elif info.get("extensionTypes") == []:
        del info["extensionTypes"]
    return parsed


def _read(shape: _Shape | None, call: InstructionCall, data: _Data) -> dict[str, Any]:
    keys = [str(key) for key in call.accounts]
    if shape is None or len(keys) < len(shape.accounts) + bool(shape.signer):
        raise _UnparsableError
    info: dict[str, Any] = dict(zip(shape.accounts, keys, strict=False))
    if shape.signer:
        info.update(_signed_by(shape.signer, keys[len(shape.accounts) :]))
    info.update((name, read(data)) for name, read in shape.fields)
    return {"type": shape.kind, "info": info}


def _signed_by(name: str, keys: Sequence[str]) -> dict[str, Any]:
    if len(keys) == 1:
        return {name: keys[0]}
    return {f"multisig{name[0].upper()}{name[1:]}": keys[0], "signers": list(keys[1:])}
