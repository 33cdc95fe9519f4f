"""Proof that a transaction can never land any more: only then may another one take its place."""

from solders.transaction import VersionedTransaction

from strandline.model.order import SignedOrder
from strandline.venues.solana.node import FINALIZED, Node
from strandline.venues.solana.timeouts import Timeouts


async def can_never_land(node: Node, order: SignedOrder, timeouts: Timeouts) -> bool:
    """Whether all of this holds, twice with a pause between: a node may be behind, and may forget for a moment.

    The chain is final beyond the last block that may hold it; its blockhash is worn out; and a node that knows the
    chain so far has never seen it, neither among the statuses nor among the transactions.
    """
    if not await _seems_dead(node, order):
        return False
    await timeouts.sleep(timeouts.look_again)
    return await _seems_dead(node, order)


async def _seems_dead(node: Node, order: SignedOrder) -> bool:
    if order.signature is None or order.last_valid_height is None:
        return False
    final = await node.finality()
    if final.height <= order.last_valid_height or await node.usable(_blockhash(order)):
        return False
    look = await node.look(order.signature, everywhere=True)
    if look.status is not None or look.slot < final.slot:
        return False
    return await node.transaction(order.signature, FINALIZED) is None


def _blockhash(order: SignedOrder) -> str:
    return str(VersionedTransaction.from_bytes(order.signed_bytes).message.recent_blockhash)
