"""The on-chain program at Jupiter's address: one `route` instruction, executed by the virtual machine.

Every token has one vault, owned by the pool account (a program-derived address). The pool account also holds the
market's prices, which the server writes before each execution or simulation. The program takes the user's tokens, pays
from the vault, and fails with 6001 when the amount out is below the user's threshold. So swaps are atomic, need the
user's signature only, and have real inner instructions, logs and errors.

Accounts: user (signer), user's source, user's destination, vault in, vault out, mint in, mint out, token program in,
token program out, pool.
"""

from typing import Final

from solders.pubkey import Pubkey

from strandline_sim.solana.assembler import Assembler
from strandline_sim.solana.elf import elf_file

PROGRAM_ID: Final = Pubkey.from_string("JUP6LkbZbjS1jKKwapdHNy74zcZ3tLUZoi5QNyVTaV4")
ROUTE: Final = bytes.fromhex("e517cb977ae3ad2a")
"""The first eight bytes of a `route` instruction."""
ACCOUNTS: Final = 10
USER, SOURCE, DESTINATION, VAULT_IN, VAULT_OUT, MINT_IN, MINT_OUT, TOKEN_IN, TOKEN_OUT, POOL = range(ACCOUNTS)

SLIPPAGE_EXCEEDED: Final = 6001
NOT_ENOUGH_ACCOUNTS: Final = 6008
UNKNOWN_INSTRUCTION: Final = 101

POOL_SEED: Final = b"pool\0\0\0\0"
POOL_CURSOR, POOL_FILLS, FILL_SIZE = 16, 24, 16
"""The pool's data: seed, bump at 8, how many fills are used, then fills of (what the vault pays, what arrives)."""

TAIL_SIZE: Final = 19
"""A route's last bytes: amount in, quoted amount out, slippage in basis points, platform fee in basis points."""

_HEAP: Final = 0x300000000
_INFO_SIZE: Final = 56
_METAS, _INSTRUCTION, _TRANSFER, _SEEDS, _TEXT = 0x1000, 0x1100, 0x1200, 0x1300, 0x1400
_GROWTH_ROOM: Final = 10 * 1024
_TRANSFER_CHECKED: Final = 12
_DECIMALS_IN_MINT: Final = 44
_WHOLE: Final = 10_000
_SLIPPAGE_TEXT: Final = (
    "AnchorError occurred. Error Code: SlippageToleranceExceeded. Error Number: 6001. "
    "Error Message: Slippage tolerance exceeded."
)

# Reserved registers: the heap, the tail of the instruction, the pool's data, the amount that the vault pays.
_R_HEAP, _R_TAIL, _R_POOL, _R_PAYS = 9, 6, 7, 8


def pool_address() -> tuple[Pubkey, int]:
    """Derive the pool account and its bump."""
    return Pubkey.find_program_address([POOL_SEED], PROGRAM_ID)


def swap_program() -> bytes:
    """Build the program's ELF file."""
    code = Assembler()
    _read_accounts(code)
    _find_instruction(code)
    _log(code, "Instruction: Route")
    _take_fill(code)
    _transfer(code, SOURCE, MINT_IN, VAULT_IN, USER, TOKEN_IN, signed_by_pool=False)
    _transfer(code, VAULT_OUT, MINT_OUT, DESTINATION, POOL, TOKEN_OUT, signed_by_pool=True)
    code.exit(0)
    code.label("slippage")
    _log(code, _SLIPPAGE_TEXT)
    code.exit(SLIPPAGE_EXCEEDED)
    code.label("accounts")
    code.exit(NOT_ENOUGH_ACCOUNTS)
    code.label("unknown")
    code.exit(UNKNOWN_INSTRUCTION)
    return elf_file(code)


def _read_accounts(code: Assembler) -> None:
    """Build the account infos that cross-program calls need from the runtime's serialised input."""
    at, left, info = 6, 7, 8
    code.move(_R_HEAP, _HEAP)
    code.load(left, 1)
    code.jump_if_not_equal(left, ACCOUNTS, "accounts")
    code.copy(at, 1)
    code.add(at, 8)
    code.copy(info, _R_HEAP)
    code.label("next account")
    code.jump_if_equal(left, 0, "accounts read")
    code.load(2, at, 0, size=1)
    code.jump_if_not_equal(2, 0xFF, "seen before")
    for field, place in ((0, 8), (8, 72), (24, 88), (32, 40)):  # key, lamports, data, owner: pointers into the input
        code.copy(3, at)
        code.add(3, place)
        code.store(info, field, 3)
    code.load(4, at, 80)
    code.store(info, 16, 4)
    for field, place in ((48, 1), (49, 2), (50, 3)):  # signer, writable, executable
        code.load(5, at, place, size=1)
        code.store(info, field, 5, size=1)
    code.add(at, 88 + _GROWTH_ROOM + 7)
    code.add_register(at, 4)
    code.mask(at, -8)
    code.load(5, at)
    code.store(info, 40, 5)  # rent epoch
    code.add(at, 8)
    code.jump("account read")
    code.label("seen before")
    code.multiply(2, _INFO_SIZE)
    code.add_register(2, _R_HEAP)
    for field in range(0, _INFO_SIZE, 8):
        code.load(3, 2, field)
        code.store(info, field, 3)
    code.add(at, 8)
    code.label("account read")
    code.add(info, _INFO_SIZE)
    code.add(left, -1)
    code.jump("next account")
    code.label("accounts read")


def _find_instruction(code: Assembler) -> None:
    """Check that the instruction is a route; load pointers to its tail and to the pool's data."""
    code.load(2, _R_TAIL, 0)
    code.move(3, len(ROUTE) + TAIL_SIZE)
    code.jump_if_less(2, 3, "unknown")
    code.load(3, _R_TAIL, 8)
    code.move(4, int.from_bytes(ROUTE, "little"))
    code.jump_if_registers_differ(3, 4, "unknown")
    code.add_register(_R_TAIL, 2)
    code.add(_R_TAIL, 8 - TAIL_SIZE)
    code.load(_R_POOL, _R_HEAP, POOL * _INFO_SIZE + 24)


def _take_fill(code: Assembler) -> None:
    """Read the next fill, and fail if less arrives than the user's threshold (rounded down, as in a quote)."""
    code.load(2, _R_POOL, POOL_CURSOR)
    code.copy(3, 2)
    code.add(3, 1)
    code.store(_R_POOL, POOL_CURSOR, 3)
    code.multiply(2, FILL_SIZE)
    code.add_register(2, _R_POOL)
    code.load(_R_PAYS, 2, POOL_FILLS)
    code.load(1, 2, POOL_FILLS + 8)
    code.load(2, _R_TAIL, 8)
    code.load(3, _R_TAIL, 16, size=2)
    code.move(4, _WHOLE)
    code.subtract_register(4, 3)
    code.copy(3, 2)
    code.divide(2, _WHOLE)
    code.multiply_register(2, 4)
    code.modulo(3, _WHOLE)
    code.multiply_register(3, 4)
    code.divide(3, _WHOLE)
    code.add_register(2, 3)
    code.jump_if_less(1, 2, "slippage")


def _transfer(
    code: Assembler, source: int, mint: int, destination: int, authority: int, program: int, *, signed_by_pool: bool
) -> None:
    """Call the token program's transfer_checked."""
    accounts = ((source, True, False), (mint, False, False), (destination, True, False), (authority, False, True))
    for number, (account, writable, signer) in enumerate(accounts):
        code.load(2, _R_HEAP, account * _INFO_SIZE)
        code.store(_R_HEAP, _METAS + 16 * number, 2)
        code.store_constant(_R_HEAP, _METAS + 16 * number + 8, writable, size=1)
        code.store_constant(_R_HEAP, _METAS + 16 * number + 9, signer, size=1)
    code.load(2, _R_HEAP, program * _INFO_SIZE)
    code.store(_R_HEAP, _INSTRUCTION, 2)
    _store_pointer(code, _INSTRUCTION + 8, _METAS)
    code.store_constant(_R_HEAP, _INSTRUCTION + 16, len(accounts))
    _store_pointer(code, _INSTRUCTION + 24, _TRANSFER)
    code.store_constant(_R_HEAP, _INSTRUCTION + 32, 10)
    code.store_constant(_R_HEAP, _TRANSFER, _TRANSFER_CHECKED, size=1)
    if signed_by_pool:
        code.copy(2, _R_PAYS)
    else:
        code.load(2, _R_TAIL, 0)
    code.store(_R_HEAP, _TRANSFER + 1, 2)
    code.load(2, _R_HEAP, mint * _INFO_SIZE + 24)
    code.load(2, 2, _DECIMALS_IN_MINT, size=1)
    code.store(_R_HEAP, _TRANSFER + 9, 2, size=1)
    _store_seeds(code)
    code.copy(1, _R_HEAP)
    code.add(1, _INSTRUCTION)
    code.copy(2, _R_HEAP)
    code.move(3, ACCOUNTS)
    code.copy(4, _R_HEAP)
    code.add(4, _SEEDS + 32)
    code.move(5, int(signed_by_pool))
    code.call("sol_invoke_signed_c")


def _store_seeds(code: Assembler) -> None:
    """Store the pool's signer seeds: seed and bump, which its data begins with."""
    code.store(_R_HEAP, _SEEDS, _R_POOL)
    code.store_constant(_R_HEAP, _SEEDS + 8, len(POOL_SEED))
    code.copy(2, _R_POOL)
    code.add(2, len(POOL_SEED))
    code.store(_R_HEAP, _SEEDS + 16, 2)
    code.store_constant(_R_HEAP, _SEEDS + 24, 1)
    _store_pointer(code, _SEEDS + 32, _SEEDS)
    code.store_constant(_R_HEAP, _SEEDS + 40, 2)


def _store_pointer(code: Assembler, place: int, target: int) -> None:
    code.copy(2, _R_HEAP)
    code.add(2, target)
    code.store(_R_HEAP, place, 2)


def _log(code: Assembler, text: str) -> None:
    data = text.encode()
    for start in range(0, len(data), 8):
        code.move(2, int.from_bytes(data[start : start + 8], "little"))
        code.store(_R_HEAP, _TEXT + start, 2)
    code.copy(1, _R_HEAP)
    code.add(1, _TEXT)
    code.move(2, len(data))
    code.call("sol_log_")
