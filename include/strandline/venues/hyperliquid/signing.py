"""Builds and signs actions. Pure: no request, no clock."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from uuid import UUID

import eth_account
import msgspec
from eth_account.signers.local import LocalAccount
from hyperliquid.utils.signing import (  # type: ignore[import-untyped]
    order_wires_to_order_action,
    sign_l1_action,
)

from strandline.model.errors import StrandlineError
from strandline.model.plan import ExecutionPlan
from strandline.model.side import Side

NOOP: Final[Mapping[str, Any]] = {"type": "noop"}
"""Uses up its nonce and does nothing else: any other action with that nonce is refused from then on."""


def wallet(secret: str | None) -> LocalAccount:
    """Read the signing key, the account's own or an API wallet's. Errors never contain the secret."""
    if secret is None:
        raise StrandlineError("there is no key for Hyperliquid", "set STRANDLINE_HYPERLIQUID_KEY")
    try:
        account: LocalAccount = eth_account.Account.from_key(secret)
    except Exception:  # noqa: BLE001  whatever the parser raises may hold the secret, so it goes no further
        raise StrandlineError(
            "the key for Hyperliquid cannot be read", "set STRANDLINE_HYPERLIQUID_KEY again"
        ) from None
    return account


def client_order_id(order_id: UUID) -> str:
    """Convert our order id; the venue's ids have 128 bits too."""
    return f"0x{order_id.hex}"


def order_action(plan: ExecutionPlan, asset: int) -> Mapping[str, Any]:
    """Build an immediate-or-cancel limit order. The order of the keys is part of what is signed."""
    wire = {
        "a": asset,
        "b": plan.side is Side.BUY,
        "p": str(plan.limit_price),
        "s": str(plan.quantity),
        "r": plan.reduce_only,
        "t": {"limit": {"tif": "Ioc"}},
        "c": client_order_id(plan.order_id),
    }
    action: Mapping[str, Any] = order_wires_to_order_action([wire])
    return action


def leverage_action(asset: int, leverage: int) -> Mapping[str, Any]:
    """Build the action that sets cross leverage for a coin; repeating it changes nothing."""
    return {"type": "updateLeverage", "asset": asset, "isCross": True, "leverage": leverage}


class Signer(NamedTuple):
    """A key, and the network that its signatures are valid on."""

    wallet: LocalAccount
    mainnet: bool

    def body(self, action: Mapping[str, Any], nonce: int, expires_after: int | None = None) -> bytes:
        """Build the request body; the same arguments give the same bytes."""
        signature = sign_l1_action(self.wallet, action, None, nonce, expires_after, self.mainnet)
        return msgspec.json.encode(
            {
                "action": action,
                "nonce": nonce,
                "signature": signature,
                "vaultAddress": None,
                "expiresAfter": expires_after,
            }
        )
