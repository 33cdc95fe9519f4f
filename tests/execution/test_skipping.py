"""Intents that end without an order, and who ends them."""

from uuid import UUID

from strandline.execution import VenueRun, cancel, skip_unknown_venues
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from strandline.venues.solana.key import SOLANA_ONCHAIN
from tests.execution.book_room import CODE, BookRoom
from tests.execution.fake_venue import FakeExecutor, Mood, always


def test_only_what_nobody_has_begun_can_be_cancelled(room: BookRoom) -> None:
    waiting, begun = room.plan(0), room.plan(1)
    assert waiting is not None
    assert begun is not None
    with room.admin.begin() as connection:
        connection.exec_driver_sql(f"UPDATE intents SET status = 'preparing', epoch = 1 WHERE intent_id = '{begun}'")
    assert _cancel(room, waiting, begun) == (waiting,)
    assert _cancel(room, waiting, begun) == ()
    assert room.status(waiting) == ("skipped", "exit_comes_first")
    assert room.status(begun) == ("preparing", None)
    (strand,) = room.strands()
    assert (strand.skip_reason, strand.code_version) == ("exit_comes_first", CODE)


def test_a_cancelled_entry_cannot_be_sent_by_who_has_read_it_before(room: BookRoom) -> None:
    planned = [intent_id for row in (0, 1) if (intent_id := room.plan(row))]
    cancelled: list[UUID] = []

    def exit_comes(point: str) -> None:
        if point == "claimed":
            cancelled.extend(_cancel(room, *planned))

    assert room.run(faults=exit_comes) == VenueRun(filled=1, lost=1)
    assert len(cancelled) == 1
    assert cancelled[0] not in room.venue.accepted
    room.check_settled()


def test_intents_of_a_venue_without_an_executor_are_skipped(room: BookRoom) -> None:
    intent_id = room.plan(0)
    with room.engine.begin() as connection:
        known = {HYPERLIQUID_PERPS, SOLANA_ONCHAIN}
        assert skip_unknown_venues(connection, known=known, now=room.clock(), code_version=CODE) == 0
        known = {SOLANA_ONCHAIN}
        assert skip_unknown_venues(connection, known=known, now=room.clock(), code_version=CODE) == 1
    assert room.status(intent_id) == ("skipped", "no_executor")
    room.check_settled()


def test_an_order_that_was_written_down_is_not_skipped_with_its_venue(room: BookRoom) -> None:
    intent_id = room.plan(0)
    room.run(FakeExecutor(room.venue, executes=always(Mood.NEVER_HEARS)))
    with room.engine.begin() as connection:
        assert skip_unknown_venues(connection, known=(), now=room.clock(), code_version=CODE) == 0
    assert room.status(intent_id) == ("unknown", "unknown")


def _cancel(room: BookRoom, *intents: UUID) -> tuple[UUID, ...]:
    with room.engine.begin() as connection:
        return cancel(connection, intents, "exit_comes_first", now=room.clock(), code_version=CODE)
