"""How much the account may borrow on a coin: decided for entries, and set at the venue where it differs."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from strandline.model.plan import SkipExecution
from strandline.model.strategy import Execution
from strandline.venues.hyperliquid.answers import ActiveAsset, Asset, Leverage, Refused
from strandline.venues.hyperliquid.rest import HyperliquidError, Rest
from strandline.venues.hyperliquid.signing import Signer, leverage_action
from strandline.venues.hyperliquid.wire import milliseconds

_CROSS: Final = "cross"
_BEFORE: Final = timedelta(seconds=1)


def wanted_leverage(limits: Execution, funding_pct: Decimal, asset: Asset) -> int:
    """What the limits say; less while funding is dear. The venue knows whole numbers only."""
    if asset.only_isolated:
        raise SkipExecution("leverage", f"{asset.name} has no cross margin")
    leverage = limits.leverage
    if funding_pct > Decimal(str(limits.funding_caps_leverage_pct)):
        leverage = min(leverage, limits.funding_capped_leverage)
    return max(1, min(int(leverage), asset.max_leverage))


class LeverageSetting(NamedTuple):
    """One account's, for one coin."""

    rest: Rest
    signer: Signer
    address: str
    coin: str
    asset: int

    def make(self, leverage: int, now: datetime, deadline: datetime) -> None:
        """Set it before the order is made, unless it is so already.

        This is a request of its own, of which nothing has to be written down: it opens no risk, and done twice or late
        it is the same. Without an answer the entry is not made. Its nonce lies a second in the past, where no order
        takes one any more: should it still meet one, one of the two is refused.
        """
        active = self.rest.ask(ActiveAsset, type="activeAssetData", user=self.address, coin=self.coin)
        if active.leverage == Leverage(_CROSS, leverage):
            return
        action = leverage_action(self.asset, leverage)
        nonce = milliseconds(now - _BEFORE) - self.asset
        reply = self.rest.send(self.signer.body(action, nonce, milliseconds(deadline)))
        if isinstance(reply, Refused):
            if "nonce" in reply.response:
                raise HyperliquidError(f"leverage was not set: {reply.response}")
            raise SkipExecution("leverage", reply.response)
