"""Solana through Jupiter. What is heavy to load is imported when it is asked for: DAGs parse the factory.

No module here may be called like one of these functions: importing it would put it in the function's place.
"""

from typing import TYPE_CHECKING

from strandline.venues.access import Access

if TYPE_CHECKING:
    from strandline.venues.executor import Executor, Observer


def executor(access: Access) -> "Executor":
    """Trades as the wallet whose key the access holds."""
    from strandline.venues.solana.swap_executor import SolanaExecutor

    return SolanaExecutor(access)


def observer(access: Access) -> "Observer":
    """Reads prices and balances."""
    from strandline.venues.solana.chain_observer import SolanaObserver

    return SolanaObserver(access)
