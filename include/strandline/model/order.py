"""Signed orders: the exact bytes that are sent to the venue."""

from uuid import UUID

from strandline.model.plan import ExecutionPlan
from strandline.model.record import Record, require


class SignedOrder(Record, frozen=True, kw_only=True):
    """A signed order, stored before it is sent; only the same bytes may be sent again.

    The venue executes them once, by `nonce`, or by `signature` up to `last_valid_height`.
    """

    plan: ExecutionPlan
    address: str
    client_order_id: str
    nonce: int | None
    signature: str | None
    signed_bytes: bytes
    last_valid_height: int | None

    def check(self) -> None:
        require(bool(self.client_order_id), "an order needs a client order id")
        require(bool(self.signed_bytes), "an order needs the bytes that are sent")

    @property
    def order_id(self) -> UUID:
        """The plan's order id."""
        return self.plan.order_id
