"""Encodes and decodes mints and token accounts of SPL Token and Token-2022."""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from solders.pubkey import Pubkey
from solders.token.state import Mint, TokenAccount, TokenAccountState

SYSTEM_PROGRAM: Final = Pubkey.from_string("11111111111111111111111111111111")
TOKEN_PROGRAM: Final = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
TOKEN_2022_PROGRAM: Final = Pubkey.from_string("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")
TOKEN_PROGRAMS: Final = (TOKEN_PROGRAM, TOKEN_2022_PROGRAM)
ATA_PROGRAM: Final = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
WRAPPED_SOL: Final = Pubkey.from_string("So11111111111111111111111111111111111111112")

MINT_SIZE, TOKEN_ACCOUNT_SIZE = 82, 165
_ACCOUNT_TYPE_AT: Final = TOKEN_ACCOUNT_SIZE
_MINT_TYPE, _ACCOUNT_TYPE = 1, 2
FEE_CONFIG, FEE_AMOUNT, IMMUTABLE_OWNER = 1, 2, 7
_AMOUNT: Final = slice(64, 72)
_SUPPLY: Final = slice(36, 44)


class TransferFee(NamedTuple):
    """A transfer fee of Token-2022, withheld in the receiving account; `most` is the highest fee."""

    bps: int
    most: int

    def on(self, amount: int) -> int:
        """Compute the fee of a transfer, rounded up as the program does."""
        return min(-(-amount * self.bps // 10_000), self.most)


class Holding(NamedTuple):
    """The content of a token account."""

    mint: Pubkey
    owner: Pubkey
    amount: int
    withheld: int


def associated_address(owner: Pubkey, mint: Pubkey, program: Pubkey) -> Pubkey:
    """Derive the address of a wallet's account of this token."""
    return Pubkey.find_program_address([bytes(owner), bytes(program), bytes(mint)], ATA_PROGRAM)[0]


def mint_data(authority: Pubkey | None, supply: int, decimals: int, fee: TransferFee | None = None) -> bytes:
    """Encode a mint; with a transfer fee it is one of Token-2022."""
    base = bytes(Mint(authority, supply, decimals, is_initialized=True, freeze_authority=None))
    if fee is None:
        return base
    schedule = struct.pack("<QQH", 0, fee.most, fee.bps)
    config = bytes(64) + struct.pack("<Q", 0) + schedule + schedule
    return base.ljust(_ACCOUNT_TYPE_AT, b"\0") + bytes([_MINT_TYPE]) + _extension(FEE_CONFIG, config)


def token_account_data(
    mint: Pubkey, owner: Pubkey, program: Pubkey, *, native_rent: int | None = None, fee: bool = False
) -> bytes:
    """Encode an empty token account, as the associated token program creates it."""
    state = TokenAccountState.Initialized
    base = bytes(TokenAccount(mint, owner, 0, None, state, native_rent, 0, None))
    if program == TOKEN_PROGRAM:
        return base
    withheld = _extension(FEE_AMOUNT, bytes(8)) if fee else b""
    return base + bytes([_ACCOUNT_TYPE]) + _extension(IMMUTABLE_OWNER, b"") + withheld


def read_holding(owner_program: Pubkey, data: bytes) -> Holding | None:
    """Decode a token account; None if it is not one."""
    if owner_program not in TOKEN_PROGRAMS or len(data) < TOKEN_ACCOUNT_SIZE:
        return None
    if len(data) > TOKEN_ACCOUNT_SIZE and data[_ACCOUNT_TYPE_AT] != _ACCOUNT_TYPE:
        return None
    amount = int.from_bytes(data[_AMOUNT], "little")
    mint, owner = Pubkey.from_bytes(data[:32]), Pubkey.from_bytes(data[32:64])
    withheld = next((content for kind, content in extensions(data) if kind == FEE_AMOUNT), b"")
    return Holding(mint, owner, amount, int.from_bytes(withheld[:8], "little"))


def read_mint(owner_program: Pubkey, data: bytes) -> tuple[int, int] | None:
    """Decode supply and decimals of a mint; None if it is not one."""
    if owner_program not in TOKEN_PROGRAMS or len(data) == TOKEN_ACCOUNT_SIZE or len(data) < MINT_SIZE:
        return None
    if len(data) > MINT_SIZE and data[_ACCOUNT_TYPE_AT] != _MINT_TYPE:
        return None
    return int.from_bytes(data[_SUPPLY], "little"), data[44]


def extensions(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the extensions of a mint or account of Token-2022: kind and content."""
    at = _ACCOUNT_TYPE_AT + 1
    while at + 4 <= len(data):
        kind, size = struct.unpack_from("<HH", data, at)
        if not kind:
            return
        yield kind, data[at + 4 : at + 4 + size]
        at += 4 + size


def add_amount(data: bytes, amount: int) -> bytes:
    """Increase the amount of a token account."""
    return _increased(data, _AMOUNT, amount)


def add_supply(data: bytes, amount: int) -> bytes:
    """Increase the supply of a mint."""
    return _increased(data, _SUPPLY, amount)


def _increased(data: bytes, field: slice, amount: int) -> bytes:
    value = int.from_bytes(data[field], "little") + amount
    return data[: field.start] + value.to_bytes(8, "little") + data[field.stop :]


def _extension(kind: int, content: bytes) -> bytes:
    return struct.pack("<HH", kind, len(content)) + content
