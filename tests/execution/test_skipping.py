"""Intents that end without an order."""

from uuid import UUID

from strandline.execution import VenueRun, cancel, read_open, skip_unknown_venues
from strandline.execution.intents import claim
from strandline.execution.skipping import skip
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from strandline.venues.solana.key import SOLANA_ONCHAIN
from tests.execution.execution_bench import CODE, ExecutionBench
from tests.execution.scripted_venue import Behaviour, ScriptedExecutor, always


def test_only_unclaimed_intents_can_be_cancelled(bench: ExecutionBench) -> None:
    waiting, begun = bench.plan(0), bench.plan(1)
    assert waiting is not None
    assert begun is not None
    with bench.admin.begin() as connection:
        connection.exec_driver_sql(f"UPDATE intents SET status = 'preparing', epoch = 1 WHERE intent_id = '{begun}'")
    assert _cancel(bench, waiting, begun) == (waiting,)
    assert _cancel(bench, waiting, begun) == ()
    assert bench.status(waiting) == ("skipped", "exit_comes_first")
    assert bench.status(begun) == ("preparing", None)
    (strand,) = bench.strands()
    assert (strand.skip_reason, strand.code_version) == ("exit_comes_first", CODE)


def test_a_cancelled_entry_cannot_be_sent_by_a_driver_that_read_it_before(bench: ExecutionBench) -> None:
    planned = [intent_id for row in (0, 1) if (intent_id := bench.plan(row))]
    cancelled: list[UUID] = []

    def exit_comes(point: str) -> None:
        if point == "claimed":
            cancelled.extend(_cancel(bench, *planned))

    assert bench.run(checkpoint=exit_comes) == VenueRun(filled=1, lost=1)
    assert len(cancelled) == 1
    assert cancelled[0] not in bench.venue.accepted
    bench.check_settled()


def test_intents_of_a_venue_without_an_executor_are_skipped(bench: ExecutionBench) -> None:
    intent_id = bench.plan(0)
    with bench.engine.begin() as connection:
        known = {HYPERLIQUID_PERPS, SOLANA_ONCHAIN}
        assert skip_unknown_venues(connection, known=known, now=bench.clock(), code_version=CODE) == 0
        known = {SOLANA_ONCHAIN}
        assert skip_unknown_venues(connection, known=known, now=bench.clock(), code_version=CODE) == 1
    assert bench.status(intent_id) == ("skipped", "no_executor")
    bench.check_settled()


def test_a_claimed_intent_of_a_venue_without_an_executor_is_skipped(bench: ExecutionBench) -> None:
    intent_id = bench.plan(0)
    with bench.engine.begin() as connection:
        (planned,) = read_open(connection)
        claim(connection, planned, bench.clock())
        assert skip_unknown_venues(connection, known=(), now=bench.clock(), code_version=CODE) == 1
    assert bench.status(intent_id) == ("skipped", "no_executor")


def test_a_skip_that_lost_its_claim_leaves_no_strand(bench: ExecutionBench) -> None:
    intent_id = bench.plan(0)
    with bench.engine.begin() as connection:
        (planned,) = read_open(connection)
        assert claim(connection, planned, bench.clock()) is not None
        assert skip(connection, [planned], "expired", now=bench.clock(), code_version=CODE) == ()
    assert bench.status(intent_id) == ("preparing", None)
    assert bench.strands() == []


def test_an_intent_with_an_order_is_not_skipped_with_its_venue(bench: ExecutionBench) -> None:
    intent_id = bench.plan(0)
    bench.run(ScriptedExecutor(bench.venue, executes=always(Behaviour.LOSES_REQUEST)))
    with bench.engine.begin() as connection:
        assert skip_unknown_venues(connection, known=(), now=bench.clock(), code_version=CODE) == 0
    assert bench.status(intent_id) == ("unknown", "unknown")


def _cancel(bench: ExecutionBench, *intents: UUID) -> tuple[UUID, ...]:
    with bench.engine.begin() as connection:
        return cancel(connection, intents, "exit_comes_first", now=bench.clock(), code_version=CODE)
