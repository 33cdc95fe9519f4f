"""In any sequence of events no intent is traded twice or lost, and the ledger equals the venue's balances."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from strandline.execution import accounts, cancel, sync_account
from strandline.model.fill import CashCause
from strandline.model.venue import VenueKey
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from strandline.venues.solana.key import SOLANA_ONCHAIN
from tests.conftest import Server
from tests.execution.execution_bench import CODE, ExecutionBench, Killed
from tests.execution.scripted_venue import ADDRESS, Behaviour, ScriptedExecutor, first

OUTSIDE = ("claimed", "prepared", "written", "sent", "answered", "booked")
INSIDE = ("skipping", "writing", "booking")
"""Checkpoints within a transaction: a second driver would wait there for locks that are never released."""

rows = st.integers(0, 2)
prepares = st.lists(
    st.sampled_from([Behaviour.FILLS, Behaviour.FILLS, Behaviour.FILLS, Behaviour.SKIPS, Behaviour.IS_DOWN]), max_size=3
)
executes = st.lists(
    st.sampled_from(
        [
            Behaviour.FILLS,
            Behaviour.FILLS_IN_PARTS,
            Behaviour.FILLS_HALF,
            Behaviour.FILLS_NEARLY,
            Behaviour.NO_MATCH,
            Behaviour.REJECTS,
            Behaviour.LOSES_REQUEST,
            Behaviour.LOSES_RESPONSE,
            Behaviour.REPORTS_PART,
        ]
    ),
    max_size=3,
)
recovers = st.lists(st.sampled_from([Behaviour.FILLS, Behaviour.IS_DOWN, Behaviour.STILL_UNKNOWN]), max_size=3)


class AnySequence(RuleBasedStateMachine):
    """Plans, executes, kills and recovers in any order."""

    def __init__(self, server: Server, template: str) -> None:
        super().__init__()
        self.server = server
        self.database = server.create(template)
        self.bench: ExecutionBench

    @initialize(venue=st.sampled_from([HYPERLIQUID_PERPS, SOLANA_ONCHAIN]), margined=st.booleans())
    def open(self, venue: VenueKey, *, margined: bool) -> None:
        """The name of a book says nothing about how it settles."""
        self.bench = ExecutionBench(self.database, venue, margined=margined)

    @rule(row=rows, notional=st.sampled_from([1, 12, 100, 777]))
    def plan_entry(self, row: int, notional: int) -> None:
        self.bench.plan(row, notional=notional)

    @rule(row=rows, decision=st.sampled_from(["demote", "demote", "trim"]))
    def plan_exit(self, row: int, decision: str) -> None:
        self.bench.plan_exit(row, decision)

    @rule(percent=st.sampled_from([50, 91, 113]))
    def move_price(self, percent: int) -> None:
        self.bench.venue.price = max(round(self.bench.venue.price * percent / 100, 2), Decimal("0.5"))

    @rule(seconds=st.sampled_from([1, 60, 301, 700]))
    def wait(self, seconds: int) -> None:
        self.bench.clock.move(seconds=seconds)

    @rule(dollars=st.sampled_from([-20, 500]), cause=st.sampled_from([CashCause.FUNDING, CashCause.DEPOSIT]))
    def move_cash(self, dollars: int, cause: CashCause) -> None:
        self.bench.clock.move(milliseconds=1)
        venue = self.bench.venue
        venue.move(f"{cause}/{len(venue.moved)}", cause, Decimal(dollars))
        sync_account(self.bench.engine, venue, venue.key, ADDRESS, margined=venue.margined)

    @rule(prepares=prepares, executes=executes, recovers=recovers)
    def run(self, prepares: list[Behaviour], executes: list[Behaviour], recovers: list[Behaviour]) -> None:
        self.bench.run(self.executor(prepares, executes, recovers))

    @rule(executes=executes, recovers=recovers, point=st.sampled_from(OUTSIDE + INSIDE), nth=st.integers(1, 3))
    def run_and_die(self, executes: list[Behaviour], recovers: list[Behaviour], point: str, nth: int) -> None:
        def die() -> None:
            raise Killed

        with suppress(Killed):
            self.bench.run(self.executor([], executes, recovers), at(point, nth, die))

    @rule(
        executes=executes, recovers=recovers, point=st.sampled_from(OUTSIDE), nth=st.integers(1, 2), dies=st.booleans()
    )
    def run_beside_a_second_driver(
        self, executes: list[Behaviour], recovers: list[Behaviour], point: str, nth: int, *, dies: bool
    ) -> None:
        """Let a second driver do all its work while the first one is paused at a checkpoint."""

        def second_driver() -> None:
            self.bench.run()
            if dies:
                raise Killed

        with suppress(Killed):
            self.bench.run(self.executor([], executes, recovers), at(point, nth, second_driver))

    @rule()
    def cancel_entries(self) -> None:
        planned = [row[0] for row in self.bench.query("SELECT intent_id FROM intents WHERE side = 'buy'")]
        with self.bench.engine.begin() as connection:
            cancel(connection, planned, "exit_comes_first", now=self.bench.clock(), code_version=CODE)

    @invariant()
    def nothing_is_wrong(self) -> None:
        if hasattr(self, "bench"):
            self.bench.check_always()

    def teardown(self) -> None:
        try:
            if hasattr(self, "bench"):
                self.bench.clock.move(seconds=1000)
                self.bench.run()
                self.bench.check_settled()
                self.bench.close()
        finally:
            self.server.drop(self.database)

    def executor(
        self, prepares: list[Behaviour], executes: list[Behaviour], recovers: list[Behaviour]
    ) -> ScriptedExecutor:
        return ScriptedExecutor(self.bench.venue, first(*prepares), first(*executes), first(*recovers))


def at(point: str, nth: int, act: Callable[[], None]) -> Callable[[str], None]:
    """Make a checkpoint that acts once, the nth time that this point is reached."""
    passed = 0

    def fault(name: str) -> None:
        nonlocal passed
        passed += name == point
        if name == point and passed == nth:
            act()

    return fault


@pytest.mark.slow
def test_any_sequence_of_events(server: Server, template: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "LOCK_TIMEOUT", timedelta(milliseconds=1))
    run_state_machine_as_test(
        lambda: AnySequence(server, template),  # type: ignore[arg-type]  # it is only called
        settings=settings(
            max_examples=settings().max_examples // 5,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
        ),
    )
