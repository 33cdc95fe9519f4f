"""Builds the ELF file of a program, as Solana's loader accepts it."""

import struct
from typing import Final, NamedTuple

from strandline_sim.solana.assembler import Assembler

_HEADER, _PROGRAM_HEADER, _SECTION_HEADER, _SYMBOL = 64, 56, 64, 24
_TEXT_AT: Final = _HEADER + 2 * _PROGRAM_HEADER
_SHARED_OBJECT, _BPF = 3, 247
_LOADABLE, _DYNAMIC_SEGMENT = 1, 2
_CODE, _STRINGS, _DYNAMIC, _RELOCATIONS, _SYMBOLS = 1, 3, 6, 9, 11
_SYSCALL_RELOCATION: Final = 10
_GLOBAL: Final = 0x10


class _Section(NamedTuple):
    name: bytes
    kind: int
    flags: int
    at: int
    content: bytes
    link: int = 0
    info: int = 0
    item: int = 0


def elf_file(program: Assembler) -> bytes:
    """Build a shared object whose first instruction is the entry point."""
    code = program.machine_code()
    syscalls = sorted({name for _, name in program.calls})
    names = b"\0" + b"".join(name.encode() + b"\0" for name in syscalls)
    starts = {name: names.index(b"\0" + name.encode() + b"\0") + 1 for name in syscalls}
    symbols = bytes(_SYMBOL) + b"".join(struct.pack("<IBBHQQ", starts[name], _GLOBAL, 0, 0, 0, 0) for name in syscalls)
    relocations = b"".join(
        struct.pack("<QQ", _TEXT_AT + 8 * at, (syscalls.index(name) + 1) << 32 | _SYSCALL_RELOCATION)
        for at, name in program.calls
    )
    symbols_at = _TEXT_AT + len(code)
    names_at = symbols_at + len(symbols)
    relocations_at = names_at + len(_padded(names))
    dynamic_at = relocations_at + len(relocations)
    dynamic = _dynamic(symbols_at, names_at, len(names), relocations_at, len(relocations))
    sections = [
        _Section(b".text", _CODE, 6, _TEXT_AT, code),
        _Section(b".dynsym", _SYMBOLS, 2, symbols_at, symbols, link=3, info=1, item=_SYMBOL),
        _Section(b".dynstr", _STRINGS, 2, names_at, names),
        _Section(b".rel.dyn", _RELOCATIONS, 2, relocations_at, relocations, link=2, item=16),
        _Section(b".dynamic", _DYNAMIC, 3, dynamic_at, dynamic, link=3, item=16),
    ]
    return _assembled(sections)


def _dynamic(symbols_at: int, names_at: int, names_size: int, relocations_at: int, relocations_size: int) -> bytes:
    entries = (
        (17, relocations_at),
        (18, relocations_size),
        (19, 16),
        (6, symbols_at),
        (11, _SYMBOL),
        (5, names_at),
        (10, names_size),
        (0, 0),
    )
    return b"".join(struct.pack("<QQ", tag, value) for tag, value in entries)


def _assembled(sections: list[_Section]) -> bytes:
    dynamic = sections[-1]
    names_at = dynamic.at + len(dynamic.content)
    section_names = b"\0" + b"".join(section.name + b"\0" for section in sections) + b".shstrtab\0"
    sections = [*sections, _Section(b".shstrtab", _STRINGS, 0, names_at, section_names)]
    headers_at = names_at + len(_padded(section_names))
    loaded = names_at - _TEXT_AT
    header = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + struct.pack(
        "<HHIQQQIHHHHHH",
        *(_SHARED_OBJECT, _BPF, 1, _TEXT_AT, _HEADER, headers_at, 0, _HEADER),
        *(_PROGRAM_HEADER, 2, _SECTION_HEADER, len(sections) + 1, len(sections)),
    )
    segments = _segment(_LOADABLE, 5, _TEXT_AT, loaded) + _segment(
        _DYNAMIC_SEGMENT, 6, dynamic.at, len(dynamic.content)
    )
    contents = b"".join(_padded(section.content) for section in sections)
    return (
        header
        + segments
        + contents
        + bytes(_SECTION_HEADER)
        + b"".join(_section_header(section, section_names) for section in sections)
    )


def _segment(kind: int, flags: int, at: int, size: int) -> bytes:
    return struct.pack("<IIQQQQQQ", kind, flags, at, at, at, size, size, 8)


def _section_header(section: _Section, names: bytes) -> bytes:
    name = names.index(b"\0" + section.name + b"\0") + 1
    address = section.at if section.flags else 0
    size = len(section.content)
    return struct.pack(
        "<IIQQQQIIQQ",
        *(name, section.kind, section.flags, address, section.at, size, section.link, section.info, 8, section.item),
    )


def _padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % 8)
