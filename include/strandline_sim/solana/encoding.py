"""Solana's encodings of bytes: base 58 with Bitcoin's alphabet, and frames of Zstandard."""

import struct
from typing import Final

_ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_ZSTD_MAGIC: Final = 0xFD2FB528
_ZSTD_SINGLE_SEGMENT_SIZE8: Final = 0xE0
"""The frame's header is followed by the content's size, in eight bytes."""
_ZSTD_BLOCK: Final = 128 * 1024
_VALUES: Final = {letter: value for value, letter in enumerate(_ALPHABET)}


def base58(data: bytes) -> str:
    """Encode bytes."""
    number = int.from_bytes(data, "big")
    letters = []
    while number:
        number, digit = divmod(number, 58)
        letters.append(_ALPHABET[digit])
    zeros = len(data) - len(data.lstrip(b"\0"))
    return "1" * zeros + "".join(reversed(letters))


def from_base58(text: str) -> bytes:
    """Decode text; raise ValueError if it is not base 58."""
    number = 0
    for letter in text:
        if letter not in _VALUES:
            raise ValueError(f"not a letter of base 58: {letter!r}")
        number = number * 58 + _VALUES[letter]
    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")


def zstd_frame(data: bytes) -> bytes:
    """Write a frame of Zstandard (RFC 8878) with the data as it is, in raw blocks.

    Any decoder reads it; only the size of a response would profit from compression.
    """
    frame = bytearray(struct.pack("<IBQ", _ZSTD_MAGIC, _ZSTD_SINGLE_SEGMENT_SIZE8, len(data)))
    for at in range(0, len(data) or 1, _ZSTD_BLOCK):
        block = data[at : at + _ZSTD_BLOCK]
        last = at + _ZSTD_BLOCK >= len(data)
        frame += (len(block) << 3 | last).to_bytes(3, "little") + block
    return bytes(frame)
