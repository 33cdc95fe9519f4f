"""The protocols of a venue's executor, which trades, and of its observer, which only reads."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Protocol

from strandline.model.fill import CashEvent
from strandline.model.intent import ExecutionIntent
from strandline.model.mark import Mark, Quote
from strandline.model.order import SignedOrder
from strandline.model.plan import ExecutionPlan
from strandline.model.position import Position
from strandline.model.result import ExecutionResult, StillUnknown
from strandline.model.venue import VenueKey


class Executor(Protocol):
    """Turns intents into orders at one venue, for one account.

    Its caller prepares, signs, commits the signed order and executes it; an order whose status is unknown is recovered.
    An executor keeps no state: everything that must survive is in the signed order.
    """

    @property
    def venue(self) -> VenueKey:
        """The venue that it trades at."""

    @property
    def address(self) -> str:
        """The account's public address."""

    @property
    def takes_nonce(self) -> bool:
        """Whether `sign` needs a nonce."""

    def prepare(self, intent: ExecutionIntent, position: Position, attempt: int) -> ExecutionPlan:
        """Request what is needed from the venue, and return exactly what to send.

        Raises `SkipExecution` when the intent cannot or must not be traded now; this is decided here and nowhere else.
        Any other exception means that the venue did not respond. Nothing has been sent in either case.
        """

    def sign(self, plan: ExecutionPlan, nonce: int | None) -> SignedOrder:
        """Sign the plan. Pure: the same plan and nonce give the same bytes."""

    def execute(self, order: SignedOrder) -> ExecutionResult:
        """Send exactly these bytes, and wait a limited time for the outcome.

        An outcome that is not certain is `unknown`: a timeout, a cut connection, a 5xx, a response that cannot be read.
        Never raises once the bytes may have been sent.
        """

    def recover(self, order: SignedOrder) -> ExecutionResult | StillUnknown:
        """Find out the order's status. `dead` and `rejected` need proof that it can never be executed any more."""

    def close(self) -> None:
        """Close connections."""


class Observer(Protocol):
    """Reads prices and accounts, by public address and without keys."""

    def marks(self, tokens: Collection[str]) -> Mapping[str, Mark]:
        """The venue's own price of each token that it has one for; raises when the venue does not respond."""

    def quote(self, token_contract: str) -> Quote:
        """The best bid and ask, or the nearest that the venue has."""

    def opening(self, address: str) -> tuple[CashEvent, ...]:
        """The account's balances as opening deposits; requested once, before the first order."""

    def cash_events(self, address: str, since: datetime) -> tuple[CashEvent, ...]:
        """Deposits, withdrawals and funding from `since` on, as far as the venue reports them; some may repeat."""

    def close(self) -> None:
        """Close connections."""
