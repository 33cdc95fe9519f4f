"""Executes one venue's intents: recovers the orders in doubt, then sends the planned intents one by one.

Killed at any instant, run again, or run twice at the same time, it sends nothing twice and loses nothing. That rests on
the claim, on one order per intent and attempt, on a nonce allocated in the order's own transaction, and on the venue
accepting the same bytes once. No transaction is open during a request to the venue.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Engine

from strandline.execution.accounts import account_lock, is_open, next_nonce
from strandline.execution.booking import book
from strandline.execution.halts import read_halt
from strandline.execution.intents import OutboxIntent, advance, claim, read_unsent
from strandline.execution.orders import mark_sent, smallest_sellable, unresolved, write_order
from strandline.execution.positions import position
from strandline.execution.skipping import skip, skip_expired
from strandline.ledger.account import Account
from strandline.model.exact import Money, Quantity
from strandline.model.intent import IntentStatus
from strandline.model.order import SignedOrder
from strandline.model.plan import ExecutionPlan, SkipExecution
from strandline.model.position import Position
from strandline.model.result import ExecutionResult, OrderStatus, StillUnknown
from strandline.model.side import Side
from strandline.venues.executor import Executor

_ATTEMPT: Final = 1
"""One order per intent: an exit that did not fill is planned again as another intent."""


class VenueRun(NamedTuple):
    """How many orders and intents ended in which way."""

    recovered: int = 0
    """Orders in doubt whose status is final now."""
    unknown: int = 0
    """Orders still in doubt."""
    filled: int = 0
    failed: int = 0
    skipped: int = 0
    expired: int = 0
    postponed: int = 0
    """Exits that could not be prepared because the venue did not respond; they are tried again until they expire."""
    lost: int = 0
    """Claimed by another process."""
    left: int = 0
    """Not started, because the deadline had passed or the account's opening balances were not booked yet."""


def execute_venue(
    engine: Engine,
    executor: Executor,
    *,
    clock: Callable[[], datetime],
    deadline: datetime,
    code_version: str,
    checkpoint: Callable[[str], None] = lambda _: None,
) -> VenueRun:
    """Recover and execute everything at the executor's venue. After `deadline` no further intent is started.

    `checkpoint` is called with the name of each instant at which a test may want to kill the process.
    """
    driver = _Driver(engine, executor, clock, deadline, code_version, checkpoint)
    with account_lock(engine, driver.account):
        return driver.run()


@dataclass(frozen=True)
class _Driver:
    engine: Engine
    executor: Executor
    clock: Callable[[], datetime]
    deadline: datetime
    code_version: str
    checkpoint: Callable[[str], None]

    @property
    def account(self) -> Account:
        return Account(self.executor.venue, self.executor.address)

    def run(self) -> VenueRun:
        with self.engine.connect() as connection:
            in_doubt = unresolved(connection, self.account)
        ended = Counter(self._recover(order) for order in in_doubt)
        with self.engine.begin() as connection:
            ended["expired"] = skip_expired(
                connection, self.executor.venue, now=self.clock(), code_version=self.code_version
            )
        with self.engine.connect() as connection:
            waiting = read_unsent(connection, self.executor.venue)
            opened = is_open(connection, self.account)
        ended.update(self._drive(planned) if opened else "left" for planned in waiting)
        return VenueRun(**ended)

    def _recover(self, order: SignedOrder) -> str:
        status = self._book(order, self._request(self.executor.recover, order))
        return "recovered" if status.resolved else "unknown"

    def _drive(self, planned: OutboxIntent) -> str:
        if self.clock() >= self.deadline:
            return "left"
        if halt := self._halt(planned):
            return self._skip(planned, halt)
        with self.engine.begin() as connection:
            claimed = claim(connection, planned, self.clock())
            row = position(connection, planned.intent.position_id)
        if claimed is None:
            return "lost"
        self.checkpoint("claimed")
        try:
            plan = self.executor.prepare(claimed.intent, row, _ATTEMPT)
        except SkipExecution as refused:
            return self._skip(claimed, refused.reason, refused.detail)
        except Exception as error:  # noqa: BLE001  whatever it is, nothing was sent
            return self._unreachable(claimed, error)
        self.checkpoint("prepared")
        refusal = _refusal(claimed, row, plan, self.clock()) or self._halt(claimed)
        return self._skip(claimed, refusal) if refusal else self._send(claimed, plan)

    def _halt(self, waiting: OutboxIntent) -> str | None:
        """The halt that keeps this intent from becoming an order, as it is now."""
        with self.engine.connect() as connection:
            halt = read_halt(connection)
        return halt.halt.value if halt and halt.stops(waiting.intent) else None

    def _unreachable(self, claimed: OutboxIntent, error: Exception) -> str:
        """Leave an exit claimed, so that the next run tries again; skip an entry.

        Only the type of the error is stored, because its text may contain a URL with an API key.
        """
        if claimed.intent.reduce_only:
            return "postponed"
        return self._skip(claimed, "venue_unreachable", type(error).__name__)

    def _skip(self, claimed: OutboxIntent, reason: str, detail: str = "") -> str:
        with self.engine.begin() as connection:
            skipped = skip(
                connection, [claimed], reason, now=self.clock(), code_version=self.code_version, detail=detail
            )
            self.checkpoint("skipping")
        return "skipped" if skipped else "lost"

    def _send(self, claimed: OutboxIntent, plan: ExecutionPlan) -> str:
        order = self._write_ahead(claimed, plan)
        if order is None:
            return "lost"
        self.checkpoint("written")
        if not self._mark_sent(claimed, order):
            return "lost"
        self.checkpoint("sent")
        status = self._book(order, self._request(self.executor.execute, order))
        if not status.resolved:
            return "unknown"
        return "filled" if status is OrderStatus.FILLED else "failed"

    def _write_ahead(self, claimed: OutboxIntent, plan: ExecutionPlan) -> SignedOrder | None:
        """Store nonce, signed bytes and status in one transaction; None, with nothing stored, if the claim was lost."""
        with self.engine.begin() as connection:
            now = self.clock()
            nonce = next_nonce(connection, self.account, now) if self.executor.takes_nonce else None
            if not advance(connection, claimed, IntentStatus.READY, now):
                connection.rollback()
                return None
            order = self.executor.sign(plan, nonce)
            write_order(connection, self.account, order, smallest_sellable(connection, claimed.intent), now)
            self.checkpoint("writing")
        return order

    def _mark_sent(self, claimed: OutboxIntent, order: SignedOrder) -> bool:
        """Store that the order is being sent; false if another process has begun to recover it."""
        with self.engine.begin() as connection:
            ready = claimed._replace(status=IntentStatus.READY)
            return mark_sent(connection, order.order_id, self.clock()) and advance(
                connection, ready, IntentStatus.SENT, self.clock()
            )

    def _request(
        self, request: Callable[[SignedOrder], ExecutionResult | StillUnknown], order: SignedOrder
    ) -> ExecutionResult:
        """Return the venue's response; after an error of any kind the order's status is unknown."""
        try:
            response = request(order)
        except Exception as error:  # noqa: BLE001  ambiguous is not rejected, whatever the client raises
            response = StillUnknown(order_id=order.order_id, reason=type(error).__name__, seen_at=self.clock())
        self.checkpoint("answered")
        return response if isinstance(response, ExecutionResult) else _unknown(response)

    def _book(self, order: SignedOrder, result: ExecutionResult) -> OrderStatus:
        with self.engine.begin() as connection:
            status = book(connection, self.account, order, result, self.clock(), self.code_version)
            self.checkpoint("booking")
        self.checkpoint("booked")
        return status


def _refusal(claimed: OutboxIntent, row: Position, plan: ExecutionPlan, now: datetime) -> str | None:
    """Return why this plan must not become an order: a last check that does not rely on the venue's code."""
    intent = claimed.intent
    if (plan.intent_id, plan.venue, plan.token_contract, plan.side) != (
        intent.intent_id,
        intent.venue,
        intent.token_contract,
        intent.side,
    ):
        return "plan_differs"
    if plan.side is Side.SELL and row.holding.quantity < plan.quantity:
        return "exceeds_holding"
    return "expired" if now >= intent.expires_at else None


def _unknown(response: StillUnknown) -> ExecutionResult:
    return ExecutionResult(
        order_id=response.order_id,
        status=OrderStatus.UNKNOWN,
        venue_order_id=None,
        fills=(),
        filled=Quantity(0),
        average_price=None,
        slippage_bps=None,
        fees=Money(0),
        error=response.reason,
        seen_at=response.seen_at,
    )
