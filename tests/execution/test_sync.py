"""Cash that moves without an order is booked once, and the opening balances only once."""

from decimal import Decimal
from itertools import count
from threading import Barrier

from strandline.execution import sync_account
from strandline.model.exact import Amount
from strandline.model.fill import CashCause, CashEvent
from tests.execution.book_room import BookRoom
from tests.execution.fake_venue import ADDRESS, FakeVenue
from tests.store.concurrency import at_once


def test_an_account_opens_with_its_balances(cash_room: BookRoom) -> None:
    assert dict(cash_room.ask("SELECT asset, amount FROM cash")) == {"USDC": 10_000, "SOL": 1}
    assert _sync(cash_room) == 0


def test_what_moved_before_the_opening_is_part_of_it(room: BookRoom) -> None:
    room.clock.move(minutes=-10)
    room.venue.move("before", CashCause.DEPOSIT, Decimal(500))
    room.venue.dollars -= 500
    room.clock.move(minutes=10)
    assert _sync(room) == 0
    room.check_settled()


def test_deposits_withdrawals_and_funding_are_booked_once(room: BookRoom) -> None:
    room.clock.move(hours=3)
    room.venue.move("d", CashCause.DEPOSIT, Decimal(500))
    room.venue.move("w", CashCause.WITHDRAWAL, Decimal(-20))
    assert (_sync(room), _sync(room)) == (2, 0)
    room.clock.move(minutes=-30)
    room.venue.move("told late", CashCause.FUNDING, Decimal("-0.123456"))
    room.clock.move(minutes=35)
    assert (_sync(room), _sync(room)) == (1, 0)
    room.check_settled()


def test_gas_of_an_order_does_not_hide_a_deposit_that_came_before_it(cash_room: BookRoom) -> None:
    cash_room.clock.move(minutes=5)
    cash_room.venue.move("d", CashCause.DEPOSIT, Decimal(500))
    cash_room.clock.move(hours=5)
    cash_room.plan(0)
    cash_room.run()
    assert _sync(cash_room) == 1
    cash_room.check_settled()


class Ticking(FakeVenue):
    """Names each opening anew, as a venue does that is asked at different times."""

    asked: "count[int]"
    all_asked: Barrier

    def opening(self, address: str) -> tuple[CashEvent, ...]:
        """Another one every time, and nobody is told before everybody has asked."""
        self.all_asked.wait(30)
        return (self.event(f"opening/{next(self.asked)}", CashCause.DEPOSIT, Amount(100)),)


def test_two_that_open_the_books_at_once_open_them_once(room: BookRoom) -> None:
    venue = Ticking(room.venue.key, room.clock)
    venue.asked, venue.all_asked = count(), Barrier(4)
    assert at_once(lambda: _quietly(sync_account(room.engine, venue, venue.key, "0xdef")), 4) == []
    assert room.ask("SELECT amount FROM cash WHERE address = '0xdef'")[0].amount == 100


def _quietly(_: int) -> None:
    """How many events each of them booked is open."""


def _sync(room: BookRoom) -> int:
    return sync_account(room.engine, room.venue, room.venue.key, ADDRESS)
