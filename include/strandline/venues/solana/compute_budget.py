"""What a transaction bids for being executed: a limit of compute units, and a price for each."""

import struct
from typing import Final

from solders.instruction import CompiledInstruction
from solders.message import MessageV0

from strandline.venues.solana.addresses import COMPUTE_BUDGET_PROGRAM

_LIMIT: Final = struct.Struct("<BI")
_PRICE: Final = struct.Struct("<BQ")
_SETS_LIMIT, _SETS_PRICE = 2, 3
_MICRO_LAMPORTS: Final = 1_000_000
_PART_THAT_MAY_DIFFER: Final = 16


def priority_fee(message: MessageV0) -> int | None:
    """In lamports; None where limit or price is not said exactly once."""
    limits, prices = _settings(message, _SETS_LIMIT, _LIMIT), _settings(message, _SETS_PRICE, _PRICE)
    if len(limits) != 1 or len(prices) != 1:
        return None
    [(_, limit)], [(_, price)] = limits, prices
    return -(-limit * price // _MICRO_LAMPORTS)


def made_unique(message: MessageV0, number: int) -> MessageV0:
    """The same, told apart by a number: two equal swaps on one blockhash would be one transaction.

    The limit of compute units is lowered by what the number says, by a sixteenth at most. Swaps need
    a fraction of it, and the fee only gets smaller.
    """
    [(index, limit)] = _settings(message, _SETS_LIMIT, _LIMIT)
    data = _LIMIT.pack(_SETS_LIMIT, limit - number % max(1, limit // _PART_THAT_MAY_DIFFER))
    instructions = list(message.instructions)
    instructions[index] = CompiledInstruction(
        instructions[index].program_id_index, data, bytes(instructions[index].accounts)
    )
    return MessageV0(
        *(message.header, message.account_keys, message.recent_blockhash),
        *(instructions, message.address_table_lookups),
    )


def _settings(message: MessageV0, kind: int, layout: struct.Struct) -> list[tuple[int, int]]:
    """Where a setting stands among the instructions, and what it says."""
    found = []
    for index, instruction in enumerate(message.instructions):
        data = bytes(instruction.data)
        ours = message.account_keys[instruction.program_id_index] == COMPUTE_BUDGET_PROGRAM
        if ours and len(data) == layout.size and data[0] == kind:
            found.append((index, int(layout.unpack(data)[1])))
    return found
