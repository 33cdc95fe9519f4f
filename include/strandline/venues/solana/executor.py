"""Executes on Solana: swaps between USDC and a token, built by Jupiter, signed here, sent through a node.

The signature is known before anything is sent, so the order can always be found again. The chain accepts a signature
once, and not after its last valid block, so the same bytes can safely be sent again.
"""

from typing import Final

from strandline.model.errors import StrandlineError
from strandline.model.intent import ExecutionIntent
from strandline.model.order import SignedOrder
from strandline.model.plan import ExecutionPlan
from strandline.model.position import Position
from strandline.model.result import ExecutionResult, StillUnknown
from strandline.model.venue import VenueKey
from strandline.venues.config import VenueConfig
from strandline.venues.solana.addresses import MAINNET
from strandline.venues.solana.checks import UnsafeTransactionError, checked
from strandline.venues.solana.clients import Clients
from strandline.venues.solana.jupiter import Jupiter, JupiterError
from strandline.venues.solana.key import SOLANA_ONCHAIN
from strandline.venues.solana.node import Node, NodeError
from strandline.venues.solana.plan_details import PlanDetails
from strandline.venues.solana.preparation import Preparation
from strandline.venues.solana.settings import PRIVATE_KEY
from strandline.venues.solana.submission import Submission
from strandline.venues.solana.timeouts import Timeouts
from strandline.venues.solana.wallet import keypair, signed

_ATTEMPTS: Final = 3


class SolanaExecutor:
    """One wallet."""

    takes_nonce = False

    def __init__(self, config: VenueConfig, timeouts: Timeouts | None = None) -> None:
        self._config = config
        self._timeouts = timeouts or Timeouts()
        self._key = keypair(config.get(PRIVATE_KEY.name))
        if config.address not in {None, self.address}:
            raise StrandlineError(
                f"the key of the Solana wallet is that of {self.address}, not of {config.address}",
                "set STRANDLINE_SOLANA_KEY to that wallet's key",
            )
        self._clients = Clients(config)
        self._cluster_known = False

    @property
    def venue(self) -> VenueKey:
        """Solana's on-chain book."""
        return SOLANA_ONCHAIN

    @property
    def address(self) -> str:
        """The wallet's public key."""
        return str(self._key.pubkey())

    def prepare(self, intent: ExecutionIntent, position: Position, attempt: int) -> ExecutionPlan:
        """Plan a swap; see `Preparation`. It changes nothing, so it is retried after an error.

        That includes the simulation: of the nodes behind one URL, one may be behind another.
        """

        async def prepare(jupiter: Jupiter, node: Node) -> ExecutionPlan:
            preparation = Preparation(jupiter, node, self.address, self._config.limits, self._config.clock)
            attempts = 1
            while True:
                try:
                    await self._refuse_other_cluster(node)
                    return await preparation.plan(intent, position, attempt)
                except (JupiterError, NodeError, UnsafeTransactionError):
                    if attempts == _ATTEMPTS:
                        raise
                attempts += 1
                await self._timeouts.sleep(self._timeouts.pause)

        return self._clients.run(prepare)

    def sign(self, plan: ExecutionPlan, nonce: int | None) -> SignedOrder:
        """Sign the plan's transaction; the signature is also its id."""
        if nonce is not None:
            raise ValueError("orders on Solana take no nonce")
        details = PlanDetails.of(plan.details)
        transaction = signed(checked(details.transaction, self.address), self._key)
        signature = str(transaction.signatures[0])
        return SignedOrder(
            plan=plan,
            address=self.address,
            client_order_id=signature,
            nonce=None,
            signature=signature,
            signed_bytes=bytes(transaction),
            last_valid_height=details.last_valid_height,
        )

    def execute(self, order: SignedOrder) -> ExecutionResult:
        """Send the order; see `Submission.submit`."""
        return self._clients.run(lambda _, node: self._submission(node, order).submit())

    def recover(self, order: SignedOrder) -> ExecutionResult | StillUnknown:
        """Find out the order's status; see `Submission.recover`."""
        return self._clients.run(lambda _, node: self._submission(node, order).recover())

    def close(self) -> None:
        """Close connections."""
        self._clients.close()

    def _submission(self, node: Node, order: SignedOrder) -> Submission:
        return Submission(node, order, self._timeouts, self._config.clock)

    async def _refuse_other_cluster(self, node: Node) -> None:
        """Refuse a node of another cluster than the configured one, so that a test never trades real money."""
        if self._cluster_known:
            return
        mainnet = await node.genesis_hash() == MAINNET
        if mainnet is not self._config.mainnet:
            expected, found = ("mainnet", "another cluster") if self._config.mainnet else ("a test cluster", "mainnet")
            raise StrandlineError(
                f"the Solana node is one of {found}, and {expected} is what this mode trades on",
                "set STRANDLINE_SOLANA_RPC_URL to another node, or STRANDLINE_MODE to what is meant",
            )
        self._cluster_known = True
