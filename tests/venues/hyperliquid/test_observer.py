"""Prices and cash, by public address."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from strandline.model.errors import StrandlineError
from strandline.model.exact import Amount, Money
from strandline.model.fill import CashCause, CashEvent
from strandline.venues.hyperliquid.rest import HyperliquidError
from strandline_sim.faults import FaultKind
from tests.venues.hyperliquid.box import Box

HOUR = 3600


def test_marks(box: Box) -> None:
    with box.observer() as observer:
        marks = observer.marks(["ETH", "BTC", "NOBODY"])
        assert {coin: mark.price.decimal for coin, mark in marks.items()} == {
            coin: box.venue.exchange.mark(coin) for coin in ("ETH", "BTC")
        }
        assert all(mark.observed_at == box.now() for mark in marks.values())
        assert observer.marks([]) == {}


def test_quote(box: Box) -> None:
    with box.observer() as observer:
        quote = observer.quote("SOL")
        assert (quote.bid.decimal, quote.ask.decimal) == box.venue.exchange.matcher.bbo("SOL")
        assert quote.observed_at == box.now()


def test_half_a_book_is_no_quote(box: Box) -> None:
    box.answers["l2Book"] = lambda _: {"coin": "SOL", "time": 1, "levels": [[{"px": "1.0", "sz": "1.0", "n": 1}], []]}
    with box.observer() as observer, pytest.raises(HyperliquidError, match="empty"):
        observer.quote("SOL")


def test_a_venue_that_does_not_answer_has_no_marks(box: Box) -> None:
    """Which is not the same as having no price for anything."""
    box.fault(FaultKind.STATUS, "hyperliquid/*", times=None, value=502)
    with box.observer() as observer, pytest.raises(HyperliquidError):
        observer.marks(["ETH"])


def test_the_opening_is_all_the_cash(box: Box) -> None:
    key = box.key("1234.567891")
    box.deposit(key.address, "0.000001")
    with box.observer() as observer:
        (event,) = observer.opening(key.address)
        assert (event.cause, event.asset, event.ts) == (CashCause.DEPOSIT, "USDC", box.now())
        assert (event.amount, event.usd) == (Amount("1234.567892"), Money("1234.567892"))
        assert observer.opening(box.key(None).address) == ()


def test_an_account_that_holds_something_cannot_be_opened(box: Box) -> None:
    key = box.key()
    with box.executor(key) as executor, box.observer() as observer:
        held = executor.execute(box.ordered(executor, box.buy())).filled
        with pytest.raises(StrandlineError) as error:
            observer.opening(key.address)
    assert f"{held} ETH" in error.value.problem
    assert "close" in error.value.remedy


@pytest.mark.slow
def test_events_explain_the_balance(box: Box) -> None:
    """Opening, fills and what moved since then add up to the cash that the venue has written down."""
    key = box.key()
    with box.executor(key) as executor, box.observer() as observer:
        (opening,) = observer.opening(key.address)
        box.later(1)
        order = executor.execute(box.ordered(executor, box.buy()))
        box.later(2 * HOUR)
        box.deposit(key.address, "77.5")
        box.later(HOUR)
        events = observer.cash_events(key.address, opening.ts + timedelta(milliseconds=1))
        again = observer.cash_events(key.address, opening.ts)
    assert {event.cause for event in events} == {CashCause.FUNDING, CashCause.DEPOSIT}
    assert len({event.venue_event_id for event in events}) == len(events) == 4
    assert set(events) < set(again)
    paid = sum((fill.notional + fill.fee for fill in order.fills), Money(0))
    cash = sum((event.usd for event in events), opening.usd) - paid
    account = box.venue.exchange.account(key.address.lower())
    assert account is not None
    assert cash == Money(account.balance)
    assert all(event.amount.decimal == event.usd.decimal for event in events)


def test_events_begin_when_they_are_wanted(box: Box) -> None:
    key = box.key()
    box.later(1)
    box.deposit(key.address, "1")
    now = box.now()
    with box.observer() as observer:
        assert [event.usd for event in observer.cash_events(key.address, now)] == [Money(1)]
        assert observer.cash_events(key.address, now + timedelta(milliseconds=1)) == ()


def test_all_pages_are_read(box: Box) -> None:
    key = box.key("1")
    for _ in range(1203):
        box.deposit(key.address, "1")
        box.clock._now += 1
    with box.observer() as observer:
        events = observer.cash_events(key.address, box.now() - timedelta(seconds=HOUR))
    assert len({event.venue_event_id for event in events}) == 1204


def moved(box: Box, address: str, delta: dict[str, Any]) -> list[CashEvent]:
    row = {"time": box.clock.now(), "hash": "0x" + "a" * 64, "delta": delta}
    box.answers["userNonFundingLedgerUpdates"] = lambda _: [row]
    with box.observer() as observer:
        return list(observer.cash_events(address, box.now()))


ME, OTHER = "0x" + "aB" * 20, "0x" + "cd" * 20


@pytest.mark.parametrize(
    ("delta", "usdc"),
    [
        ({"type": "deposit", "usdc": "5.5"}, "5.5"),
        ({"type": "withdraw", "usdc": "99.0", "fee": "1.0", "nonce": 1}, "-100"),
        ({"type": "internalTransfer", "usdc": "5.0", "user": ME, "destination": OTHER, "fee": "1.0"}, "-6"),
        ({"type": "internalTransfer", "usdc": "5.0", "user": OTHER, "destination": ME.lower(), "fee": "1.0"}, "5"),
        ({"type": "subAccountTransfer", "usdc": "5.0", "user": ME.lower(), "destination": OTHER}, "-5"),
        ({"type": "accountClassTransfer", "usdc": "5.0", "toPerp": True}, "5"),
        ({"type": "accountClassTransfer", "usdc": "5.0", "toPerp": False}, "-5"),
        ({"type": "vaultDeposit", "usdc": "5.0", "vault": OTHER}, "-5"),
        ({"type": "vaultCreate", "usdc": "100.0", "fee": "10.0", "vault": OTHER}, "-110"),
        ({"type": "vaultWithdraw", "user": ME, "vault": OTHER, "netWithdrawnUsd": "4.5", "requestedUsd": "5.0"}, "4.5"),
        ({"type": "vaultDistribution", "usdc": "5.0", "vault": OTHER}, "5"),
    ],
)
def test_what_moves_cash(box: Box, delta: dict[str, Any], usdc: str) -> None:
    (event,) = moved(box, ME, delta)
    assert (event.amount, event.usd) == (Amount(usdc), Money(usdc))
    assert event.cause is (CashCause.DEPOSIT if Decimal(usdc) > 0 else CashCause.WITHDRAWAL)


@pytest.mark.parametrize(
    ("user", "source", "destination", "target", "token", "usdc"),
    [
        (ME, "", OTHER, "", "USDC", "-11"),
        (OTHER, "", ME, "", "USDC", "10"),
        (ME, "", ME, "spot", "USDC", "-11"),
        (ME, "spot", ME, "", "USDC", "10"),
        (ME, "spot", OTHER, "", "USDC", None),
        (ME, "", OTHER, "", "PURR:0xc1", None),
    ],
)
def test_sending(box: Box, user: str, source: str, destination: str, target: str, token: str, usdc: str | None) -> None:
    delta = {
        "type": "send", "user": user, "sourceDex": source, "destination": destination, "destinationDex": target,
        "token": token, "amount": "10.0", "usdcValue": "10.0", "fee": "1.0", "feeToken": "USDC", "nonce": 1,
    }  # fmt: skip
    assert [event.usd for event in moved(box, ME, delta)] == ([] if usdc is None else [Money(usdc)])


@pytest.mark.parametrize(
    "delta",
    [
        {"type": "spotTransfer", "token": "HYPE", "amount": "5.0", "usdcValue": "9.0", "user": ME, "fee": "0.0"},
        {"type": "liquidation", "liquidatedNtlPos": "9.0", "accountValue": "1.0"},
        {"type": "somethingNew", "usdc": "5.0"},
        {"type": "vaultWithdraw", "user": OTHER, "vault": ME, "netWithdrawnUsd": "4.5"},
    ],
)
def test_what_moves_none(box: Box, delta: dict[str, Any]) -> None:
    assert moved(box, ME, delta) == []


def test_the_same_transfer_is_two_events_for_two_accounts(box: Box) -> None:
    delta = {"type": "internalTransfer", "usdc": "5.0", "user": ME, "destination": OTHER, "fee": "0.0"}
    (mine,), (theirs,) = moved(box, ME, delta), moved(box, OTHER, delta)
    assert mine.venue_event_id != theirs.venue_event_id
    assert mine.usd == -theirs.usd
