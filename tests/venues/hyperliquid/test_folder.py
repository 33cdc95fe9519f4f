"""The factory makes this venue's executors and observers, real and on paper."""

from dataclasses import replace

import pytest

from strandline.model.exact import Money
from strandline.model.result import OrderStatus
from strandline.venues.factory import ExecutorFactory
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from strandline.venues.hyperliquid.wire import milliseconds
from tests.venues.hyperliquid.simulated_hyperliquid import SimulatedHyperliquid, position_row


@pytest.mark.parametrize("paper", [False, True])
def test_executors_and_observers_can_be_made_repeatedly(simulated: SimulatedHyperliquid, paper: bool) -> None:
    access = replace(simulated.config(key=simulated.wallet().key.hex()), paper=paper, opening_cash=Money(10_000))
    factory = ExecutorFactory({HYPERLIQUID_PERPS: access})
    for _ in range(2):
        simulated.advance(1)
        observer, executor = factory.observer(HYPERLIQUID_PERPS), factory.executor(HYPERLIQUID_PERPS)
        assert (executor.venue, executor.address) == (HYPERLIQUID_PERPS, factory.address(HYPERLIQUID_PERPS))
        assert observer.quote("ETH").bid < simulated.price()
        order = executor.sign(
            executor.prepare(simulated.buy(), position_row(), 1),
            milliseconds(simulated.now()) if executor.takes_nonce else None,
        )
        assert executor.execute(order).status is OrderStatus.FILLED
        assert len(simulated.tape_entries(order, "order_accepted")) == (0 if paper else 1)
        executor.close()
        observer.close()
