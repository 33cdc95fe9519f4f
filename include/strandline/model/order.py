"""A plan in its final form: the bytes that go to the venue, and only they."""

from uuid import UUID

from strandline.model.plan import ExecutionPlan
from strandline.model.record import Record, require


class SignedOrder(Record, frozen=True, kw_only=True):
    """Written down before it is sent, and sent again byte for byte if need be.

    What makes it harmless to send twice is the venue's own: `nonce`, or `signature` with `last_valid_height`.
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
        """See `ExecutionPlan.order_id`."""
        return self.plan.order_id
