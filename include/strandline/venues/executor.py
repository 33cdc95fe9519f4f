"""What every venue's executor can do. Adding a venue is one folder that does this, and one line in the factory."""

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

    The order of things is prepare, sign, (write down,) execute; after any doubt recover. An executor keeps nothing:
    what must survive is in the signed order, which its caller commits before `execute` is called.
    """

    @property
    def venue(self) -> VenueKey:
        """Which venue."""

    @property
    def address(self) -> str:
        """The account, by its public address."""

    @property
    def takes_nonce(self) -> bool:
        """Whether `sign` wants a number that was never used before."""

    def prepare(self, intent: ExecutionIntent, position: Position, attempt: int) -> ExecutionPlan:
        """Ask the venue all that has to be asked, and say exactly what to send.

        Raises `SkipExecution` when it cannot or must not be traded here and now: everything of that kind is decided
        here and nowhere else. Other exceptions mean that the venue could not be asked; nothing was sent.
        """

    def sign(self, plan: ExecutionPlan, nonce: int | None) -> SignedOrder:
        """Pure: no request, no clock. The same plan and nonce give the same bytes."""

    def execute(self, order: SignedOrder) -> ExecutionResult:
        """Send exactly these bytes, and wait for the outcome for a while.

        Whatever was not seen with certainty is `unknown`: time-outs, cut connections, 5xx, answers that make no sense.
        Never raises after the bytes may have left.
        """

    def recover(self, order: SignedOrder) -> ExecutionResult | StillUnknown:
        """Find out what became of it. `dead` or `rejected` only with proof that it can never act any more."""

    def close(self) -> None:
        """Let go of connections."""


class Observer(Protocol):
    """Reads a venue by public address, without keys."""

    def marks(self, tokens: Collection[str]) -> Mapping[str, Mark]:
        """The venue's own price of each token that it has one for; raises when it cannot be asked."""

    def quote(self, token_contract: str) -> Quote:
        """The top of the book, or what comes nearest to it."""

    def opening(self, address: str) -> tuple[CashEvent, ...]:
        """The account's balances, told as the deposits that opened our books; asked once, before the first order."""

    def cash_events(self, address: str, since: datetime) -> tuple[CashEvent, ...]:
        """Deposits, withdrawals and funding from `since` on, as far as the venue tells them; doubles do no harm."""

    def close(self) -> None:
        """Let go of connections."""
