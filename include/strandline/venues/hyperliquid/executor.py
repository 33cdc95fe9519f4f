"""Executes on Hyperliquid with immediate-or-cancel limit orders."""

from strandline.model.intent import ExecutionIntent
from strandline.model.order import SignedOrder
from strandline.model.plan import ExecutionPlan
from strandline.model.position import Position
from strandline.model.result import ExecutionResult, StillUnknown
from strandline.model.venue import VenueKey
from strandline.venues.config import VenueConfig
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from strandline.venues.hyperliquid.plan_details import PlanDetails
from strandline.venues.hyperliquid.preparation import Preparation
from strandline.venues.hyperliquid.rest import Rest
from strandline.venues.hyperliquid.settings import PRIVATE_KEY, URL
from strandline.venues.hyperliquid.signing import Signer, client_order_id, order_action, wallet
from strandline.venues.hyperliquid.submission import Submission
from strandline.venues.hyperliquid.timeouts import Timeouts
from strandline.venues.hyperliquid.wire import milliseconds


class HyperliquidExecutor:
    """One account. The key is its own, or that of an API wallet that trades for it."""

    takes_nonce = True

    def __init__(self, config: VenueConfig, timeouts: Timeouts | None = None) -> None:
        self._config = config
        self._timeouts = timeouts or Timeouts()
        self._signer = Signer(wallet(config.get(PRIVATE_KEY.name)), config.mainnet)
        self._rest = Rest(config.require(URL.name), self._timeouts)

    @property
    def venue(self) -> VenueKey:
        """Hyperliquid's perpetuals."""
        return HYPERLIQUID_PERPS

    @property
    def address(self) -> str:
        """The account's address, which is not the API wallet's."""
        return self._config.address or self._signer.wallet.address

    def prepare(self, intent: ExecutionIntent, position: Position, attempt: int) -> ExecutionPlan:
        """Plan an order; see `Preparation`."""
        preparation = Preparation(self._rest, self._signer, self.address, self._config.limits, self._config.clock)
        return preparation.plan(intent, position, attempt)

    def sign(self, plan: ExecutionPlan, nonce: int | None) -> SignedOrder:
        """Sign the request; the venue accepts it once, and not after the plan's deadline."""
        if nonce is None:
            raise ValueError("an order on Hyperliquid needs a nonce")
        action = order_action(plan, PlanDetails.of(plan.details).asset)
        return SignedOrder(
            plan=plan,
            address=self.address,
            client_order_id=client_order_id(plan.order_id),
            nonce=nonce,
            signature=None,
            signed_bytes=self._signer.body(action, nonce, milliseconds(plan.deadline)),
            last_valid_height=None,
        )

    def execute(self, order: SignedOrder) -> ExecutionResult:
        """Send the order; see `Submission.submit`."""
        return self._submission(order).submit()

    def recover(self, order: SignedOrder) -> ExecutionResult | StillUnknown:
        """Find out the order's status; see `Submission.recover`."""
        return self._submission(order).recover()

    def close(self) -> None:
        """Close connections."""
        self._rest.close()

    def _submission(self, order: SignedOrder) -> Submission:
        return Submission(self._rest, self._signer, order, self._timeouts, self._config.clock)
