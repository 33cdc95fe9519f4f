"""Cash that moves without an order is booked once, and the opening balances only once."""

from decimal import Decimal
from functools import partial
from itertools import count
from threading import Barrier

import pytest

from strandline.execution import sync_account
from strandline.model.errors import StrandlineError
from strandline.model.exact import Amount
from strandline.model.fill import CashCause, CashEvent
from tests.execution.execution_bench import ExecutionBench
from tests.execution.scripted_venue import ADDRESS, ScriptedVenue
from tests.store.concurrency import at_once


def test_an_account_opens_with_its_balances(cash_bench: ExecutionBench) -> None:
    assert dict(cash_bench.query("SELECT asset, amount FROM cash")) == {"USDC": 10_000, "SOL": 1}
    assert _sync(cash_bench) == 0


def test_events_before_the_opening_are_part_of_it(bench: ExecutionBench) -> None:
    bench.clock.move(minutes=-10)
    bench.venue.move("before", CashCause.DEPOSIT, Decimal(500))
    bench.venue.dollars -= 500
    bench.clock.move(minutes=10)
    assert _sync(bench) == 0
    bench.check_settled()


def test_an_event_at_the_instant_of_the_opening_is_part_of_it(bench: ExecutionBench) -> None:
    bench.venue.move("at the opening", CashCause.DEPOSIT, Decimal(500))
    bench.venue.dollars -= 500
    assert _sync(bench) == 0
    bench.check_settled()


def test_deposits_withdrawals_and_funding_are_booked_once(bench: ExecutionBench) -> None:
    bench.clock.move(hours=3)
    bench.venue.move("d", CashCause.DEPOSIT, Decimal(500))
    bench.venue.move("w", CashCause.WITHDRAWAL, Decimal(-20))
    assert (_sync(bench), _sync(bench)) == (2, 0)
    bench.clock.move(minutes=-30)
    bench.venue.move("reported late", CashCause.FUNDING, Decimal("-0.123456"))
    bench.clock.move(minutes=35)
    assert (_sync(bench), _sync(bench)) == (1, 0)
    bench.check_settled()


def test_gas_of_an_order_does_not_hide_a_deposit_that_came_before_it(cash_bench: ExecutionBench) -> None:
    cash_bench.clock.move(minutes=5)
    cash_bench.venue.move("d", CashCause.DEPOSIT, Decimal(500))
    cash_bench.clock.move(hours=5)
    cash_bench.plan(0)
    cash_bench.run()
    assert _sync(cash_bench) == 1
    cash_bench.check_settled()


class ChangingOpening(ScriptedVenue):
    """Gives each opening another id, as a venue does at different times."""

    numbers: "count[int]"
    all_called: Barrier

    def opening(self, address: str) -> tuple[CashEvent, ...]:
        """Return another opening to each caller, once all of them have called."""
        self.all_called.wait(30)
        return (self.event(f"opening/{next(self.numbers)}", CashCause.DEPOSIT, Amount(100)),)


def test_concurrent_openings_are_booked_once(bench: ExecutionBench) -> None:
    venue = ChangingOpening(bench.venue.key, bench.venue.margined, bench.clock)
    venue.numbers, venue.all_called = count(), Barrier(4)
    sync = partial(sync_account, bench.engine, venue, venue.key, "0xdef", margined=venue.margined)
    assert at_once(lambda: _quietly(sync()), 4) == []
    assert bench.query("SELECT amount FROM cash WHERE address = '0xdef'")[0].amount == 100


def _quietly(_: int) -> None:
    """Discard the number: any of them may book the events."""


def _sync(bench: ExecutionBench) -> int:
    return sync_account(bench.engine, bench.venue, bench.venue.key, ADDRESS, margined=bench.venue.margined)


def test_another_kind_of_settlement_than_registered_is_refused(bench: ExecutionBench) -> None:
    before = bench.query("SELECT margined FROM venue_accounts")
    for address in (ADDRESS, "0xdef"):
        with pytest.raises(StrandlineError, match="hyperliquid/perps is not margined, but the ledger"):
            sync_account(bench.engine, bench.venue, bench.venue.key, address, margined=False)
    assert bench.query("SELECT margined FROM venue_accounts") == before
