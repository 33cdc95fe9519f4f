"""Hyperliquid's perpetuals. What is heavy to load is imported when it is asked for: DAGs parse the factory.

No module here may be called like one of these functions: importing it would put it in the function's place.
"""

from typing import TYPE_CHECKING

from strandline.venues.access import Access

if TYPE_CHECKING:
    from strandline.venues.executor import Executor, Observer


def executor(access: Access) -> "Executor":
    """Trades for the account whose key, or API wallet's key, the access holds."""
    from strandline.venues.hyperliquid.perps_executor import HyperliquidExecutor

    return HyperliquidExecutor(access)


def observer(access: Access) -> "Observer":
    """Reads prices and accounts."""
    from strandline.venues.hyperliquid.perps_observer import HyperliquidObserver

    return HyperliquidObserver(access)
