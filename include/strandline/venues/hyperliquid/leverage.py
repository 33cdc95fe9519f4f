"""Decides the leverage of entries, and sets it at the venue where it differs."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from strandline.model.plan import SkipExecution
from strandline.model.strategy import Execution
from strandline.venues.hyperliquid.responses import ActiveAsset, Asset, Leverage, Refused
from strandline.venues.hyperliquid.rest import HyperliquidError, Rest
from strandline.venues.hyperliquid.signing import Signer, leverage_action
from strandline.venues.hyperliquid.wire import milliseconds

_CROSS: Final = "cross"
_BEFORE: Final = timedelta(seconds=1)


def target_leverage(limits: Execution, funding_pct: Decimal, asset: Asset) -> int:
    """Limit the leverage, more so while funding is expensive; rounded down, as the venue takes whole numbers only."""
    if asset.only_isolated:
        raise SkipExecution("leverage", f"{asset.name} has no cross margin")
    leverage = limits.leverage
    if funding_pct > Decimal(str(limits.funding_caps_leverage_pct)):
        leverage = min(leverage, limits.funding_capped_leverage)
    return max(1, min(int(leverage), asset.max_leverage))


class LeverageSetting(NamedTuple):
    """The leverage setting of one account for one coin."""

    rest: Rest
    signer: Signer
    address: str
    coin: str
    asset: int

    def set(self, leverage: int, now: datetime, deadline: datetime) -> None:
        """Set it before the order is placed, unless it is set already.

        The request need not be recorded first: it opens no risk, and repeating it changes nothing. If it is not
        answered, the entry is not made. Its nonce lies a second in the past, where orders no longer take nonces; if
        it equals an order's nonce all the same, the venue refuses one of the two.
        """
        active = self.rest.request(ActiveAsset, type="activeAssetData", user=self.address, coin=self.coin)
        if active.leverage == Leverage(_CROSS, leverage):
            return
        action = leverage_action(self.asset, leverage)
        nonce = milliseconds(now - _BEFORE) - self.asset
        reply = self.rest.send(self.signer.body(action, nonce, milliseconds(deadline)))
        if isinstance(reply, Refused):
            if "nonce" in reply.response:
                raise HyperliquidError(f"leverage was not set: {reply.response}")
            raise SkipExecution("leverage", reply.response)
