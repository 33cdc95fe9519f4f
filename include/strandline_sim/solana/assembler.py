"""A minimal assembler for the virtual machine that runs Solana's programs (sBPF, version 0)."""

import struct
from typing import Final

_SIZES: Final = {1: 0x10, 2: 0x08, 4: 0x00, 8: 0x18}

_LOAD: Final = 0x61
_STORE_CONSTANT: Final = 0x62
_STORE: Final = 0x63
_WIDE: Final = 0x18
_CALL: Final = 0x85
_EXIT: Final = 0x95
_MOVE, _COPY = 0xB7, 0xBF
_ADD, _ADD_REGISTER, _SUBTRACT_REGISTER, _MULTIPLY_REGISTER = 0x07, 0x0F, 0x1F, 0x2F
_DIVIDE, _MODULO, _AND, _MULTIPLY = 0x37, 0x97, 0x57, 0x27
_JUMP, _JUMP_EQUAL, _JUMP_NOT_EQUAL, _JUMP_NOT_EQUAL_REGISTER, _JUMP_LESS = 0x05, 0x15, 0x55, 0x5D, 0xAD


class Assembler:
    """Collects instructions; labels may be used before they are placed."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, str]] = []
        self._code: list[tuple[int, int, int, int, int]] = []
        self._labels: dict[str, int] = {}
        self._jumps: list[tuple[int, str]] = []

    def move(self, register: int, constant: int) -> None:
        """register = constant (64 bits)."""
        low, high = (int.from_bytes(half, "little", signed=True) for half in _halves(constant))
        self._add(_WIDE, register, constant=low)
        self._add(0, 0, constant=high)

    def copy(self, register: int, other: int) -> None:
        """register = other."""
        self._add(_COPY, register, other)

    def add(self, register: int, constant: int) -> None:
        """register += constant."""
        self._add(_ADD, register, constant=constant)

    def add_register(self, register: int, other: int) -> None:
        """register += other."""
        self._add(_ADD_REGISTER, register, other)

    def subtract_register(self, register: int, other: int) -> None:
        """register -= other."""
        self._add(_SUBTRACT_REGISTER, register, other)

    def multiply(self, register: int, constant: int) -> None:
        """register *= constant."""
        self._add(_MULTIPLY, register, constant=constant)

    def multiply_register(self, register: int, other: int) -> None:
        """register *= other."""
        self._add(_MULTIPLY_REGISTER, register, other)

    def divide(self, register: int, constant: int) -> None:
        """register //= constant."""
        self._add(_DIVIDE, register, constant=constant)

    def modulo(self, register: int, constant: int) -> None:
        """register %= constant."""
        self._add(_MODULO, register, constant=constant)

    def mask(self, register: int, constant: int) -> None:
        """register &= constant, which is sign-extended."""
        self._add(_AND, register, constant=constant)

    def load(self, register: int, base: int, offset: int = 0, size: int = 8) -> None:
        """register = memory at base + offset."""
        self._add(_LOAD | _SIZES[size], register, base, offset)

    def store(self, base: int, offset: int, register: int, size: int = 8) -> None:
        """Memory at base + offset = register."""
        self._add(_STORE | _SIZES[size], base, register, offset)

    def store_constant(self, base: int, offset: int, constant: int, size: int = 8) -> None:
        """Memory at base + offset = constant."""
        self._add(_STORE_CONSTANT | _SIZES[size], base, 0, offset, constant)

    def label(self, name: str) -> None:
        """Place a label for jumps."""
        self._labels[name] = len(self._code)

    def jump(self, to: str) -> None:
        """Jump to the label."""
        self._jump(_JUMP, to, 0)

    def jump_if_equal(self, register: int, constant: int, to: str) -> None:
        """Jump if register == constant."""
        self._jump(_JUMP_EQUAL, to, register, constant=constant)

    def jump_if_not_equal(self, register: int, constant: int, to: str) -> None:
        """Jump if register != constant."""
        self._jump(_JUMP_NOT_EQUAL, to, register, constant=constant)

    def jump_if_registers_differ(self, register: int, other: int, to: str) -> None:
        """Jump if register != other."""
        self._jump(_JUMP_NOT_EQUAL_REGISTER, to, register, other)

    def jump_if_less(self, register: int, other: int, to: str) -> None:
        """Jump if register < other, unsigned."""
        self._jump(_JUMP_LESS, to, register, other)

    def call(self, syscall: str) -> None:
        """Call the runtime; arguments are in registers 1 to 5, the result in 0."""
        self.calls.append((len(self._code), syscall))
        self._add(_CALL, 0, constant=-1)

    def exit(self, code: int | None = None) -> None:
        """Return register 0, or this code."""
        if code is not None:
            self._add(_MOVE, 0, constant=code)
        self._add(_EXIT, 0)

    def machine_code(self) -> bytes:
        """Encode the instructions, eight bytes each."""
        code = list(self._code)
        for at, name in self._jumps:
            operation, register, other, _, constant = code[at]
            code[at] = (operation, register, other, self._labels[name] - at - 1, constant)
        return b"".join(
            struct.pack("<BBhi", operation, register | other << 4, offset, constant)
            for operation, register, other, offset, constant in code
        )

    def _jump(self, operation: int, to: str, register: int, other: int = 0, constant: int = 0) -> None:
        self._jumps.append((len(self._code), to))
        self._add(operation, register, other, constant=constant)

    def _add(self, operation: int, register: int, other: int = 0, offset: int = 0, constant: int = 0) -> None:
        self._code.append((operation, register, other, offset, constant))


def _halves(constant: int) -> tuple[bytes, bytes]:
    whole = constant.to_bytes(8, "little")
    return whole[:4], whole[4:]
