"""Reads a transaction's compute budget (unit limit and unit price), and uses it to make transactions unique."""

import struct
from typing import Final

from solders.instruction import CompiledInstruction
from solders.message import MessageV0

from strandline.venues.solana.addresses import COMPUTE_BUDGET_PROGRAM

_LIMIT: Final = struct.Struct("<BI")
_PRICE: Final = struct.Struct("<BQ")
_SETS_LIMIT, _SETS_PRICE = 2, 3
_MICRO_LAMPORTS: Final = 1_000_000
_LARGEST_PART: Final = 16


def priority_fee(message: MessageV0) -> int | None:
    """Compute the priority fee in lamports; None unless limit and price are each set exactly once."""
    limits, prices = _settings(message, _SETS_LIMIT, _LIMIT), _settings(message, _SETS_PRICE, _PRICE)
    if len(limits) != 1 or len(prices) != 1:
        return None
    [(_, limit)], [(_, price)] = limits, prices
    return -(-limit * price // _MICRO_LAMPORTS)


def made_unique(message: MessageV0, number: int) -> MessageV0:
    """Make the message differ by a number: two equal swaps on one blockhash would be the same transaction.

    The number lowers the compute unit limit, by a sixteenth at most. Swaps need a fraction of the limit, and the
    fee only gets smaller.
    """
    [(index, limit)] = _settings(message, _SETS_LIMIT, _LIMIT)
    data = _LIMIT.pack(_SETS_LIMIT, limit - number % max(1, limit // _LARGEST_PART))
    instructions = list(message.instructions)
    instructions[index] = CompiledInstruction(
        instructions[index].program_id_index, data, bytes(instructions[index].accounts)
    )
    return MessageV0(
        *(message.header, message.account_keys, message.recent_blockhash),
        *(instructions, message.address_table_lookups),
    )


def _settings(message: MessageV0, kind: int, layout: struct.Struct) -> list[tuple[int, int]]:
    """Find a setting's instructions: their positions and values."""
    found = []
    for index, instruction in enumerate(message.instructions):
        data = bytes(instruction.data)
        ours = message.account_keys[instruction.program_id_index] == COMPUTE_BUDGET_PROGRAM
        if ours and len(data) == layout.size and data[0] == kind:
            found.append((index, int(layout.unpack(data)[1])))
    return found
