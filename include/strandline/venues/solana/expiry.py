"""Proves that a transaction can never land any more: only then may another one replace it."""

from solders.transaction import VersionedTransaction

from strandline.model.order import SignedOrder
from strandline.venues.solana.node import FINALIZED, Node
from strandline.venues.solana.timeouts import Timeouts


async def can_never_land(node: Node, order: SignedOrder, timeouts: Timeouts) -> bool:
    """Whether all of this holds, twice with a pause between, since a node may be behind or forget for a moment:

    - the chain is finalized beyond the transaction's last valid block,
    - its blockhash has expired,
    - a node that has seen the chain so far finds it neither among the statuses nor among the transactions.
    """
    if not await _looks_expired(node, order):
        return False
    await timeouts.sleep(timeouts.recheck)
    return await _looks_expired(node, order)


async def _looks_expired(node: Node, order: SignedOrder) -> bool:
    if order.signature is None or order.last_valid_height is None:
        return False
    final = await node.finality()
    if final.height <= order.last_valid_height or await node.is_blockhash_valid(_blockhash(order)):
        return False
    found = await node.signature_status(order.signature, search_history=True)
    if found.status is not None or found.slot < final.slot:
        return False
    return await node.transaction(order.signature, FINALIZED) is None


def _blockhash(order: SignedOrder) -> str:
    return str(VersionedTransaction.from_bytes(order.signed_bytes).message.recent_blockhash)
