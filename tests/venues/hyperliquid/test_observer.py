"""The observer reads prices and cash events by public address."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from strandline.model.errors import StrandlineError
from strandline.model.exact import Amount, Money
from strandline.model.fill import CashCause, CashEvent
from strandline.venues.hyperliquid.rest import HyperliquidError
from strandline_sim.faults import FaultKind
from tests.venues.hyperliquid.simulated_hyperliquid import SimulatedHyperliquid

HOUR = 3600


def test_marks(simulated: SimulatedHyperliquid) -> None:
    with simulated.observer() as observer:
        marks = observer.marks(["ETH", "BTC", "NOBODY"])
        assert {coin: mark.price.decimal for coin, mark in marks.items()} == {
            coin: simulated.venue.exchange.mark(coin) for coin in ("ETH", "BTC")
        }
        assert all(mark.observed_at == simulated.now() for mark in marks.values())
        assert observer.marks([]) == {}


def test_quote(simulated: SimulatedHyperliquid) -> None:
    with simulated.observer() as observer:
        quote = observer.quote("SOL")
        assert (quote.bid.decimal, quote.ask.decimal) == simulated.venue.exchange.matcher.bbo("SOL")
        assert quote.observed_at == simulated.now()


def test_an_empty_side_of_the_book_is_no_quote(simulated: SimulatedHyperliquid) -> None:
    simulated.answers["l2Book"] = lambda _: {
        "coin": "SOL",
        "time": 1,
        "levels": [[{"px": "1.0", "sz": "1.0", "n": 1}], []],
    }
    with simulated.observer() as observer, pytest.raises(HyperliquidError, match="empty"):
        observer.quote("SOL")


def test_a_venue_that_does_not_respond_raises(simulated: SimulatedHyperliquid) -> None:
    """An error, not an empty list of marks."""
    simulated.inject(FaultKind.STATUS, "hyperliquid/*", times=None, value=502)
    with simulated.observer() as observer, pytest.raises(HyperliquidError):
        observer.marks(["ETH"])


def test_the_opening_is_the_account_cash(simulated: SimulatedHyperliquid) -> None:
    key = simulated.wallet("1234.567891")
    simulated.deposit(key.address, "0.000001")
    with simulated.observer() as observer:
        (event,) = observer.opening(key.address)
        assert (event.cause, event.asset, event.ts) == (CashCause.DEPOSIT, "USDC", simulated.now())
        assert (event.amount, event.usd) == (Amount("1234.567892"), Money("1234.567892"))
        assert observer.opening(simulated.wallet(None).address) == ()


def test_an_account_with_positions_cannot_be_opened(simulated: SimulatedHyperliquid) -> None:
    key = simulated.wallet()
    with simulated.executor(key) as executor, simulated.observer() as observer:
        held = executor.execute(simulated.signed_order(executor, simulated.buy())).filled
        with pytest.raises(StrandlineError) as error:
            observer.opening(key.address)
    assert f"{held} ETH" in error.value.problem
    assert "close" in error.value.remedy


@pytest.mark.slow
def test_events_explain_the_balance(simulated: SimulatedHyperliquid) -> None:
    """Opening, fills and cash events add up to the venue's cash."""
    key = simulated.wallet()
    with simulated.executor(key) as executor, simulated.observer() as observer:
        (opening,) = observer.opening(key.address)
        simulated.advance(1)
        order = executor.execute(simulated.signed_order(executor, simulated.buy()))
        simulated.advance(2 * HOUR)
        simulated.deposit(key.address, "77.5")
        simulated.advance(HOUR)
        events = observer.cash_events(key.address, opening.ts + timedelta(milliseconds=1))
        again = observer.cash_events(key.address, opening.ts)
    assert {event.cause for event in events} == {CashCause.FUNDING, CashCause.DEPOSIT}
    assert len({event.venue_event_id for event in events}) == len(events) == 4
    assert set(events) < set(again)
    paid = sum((fill.notional + fill.fee for fill in order.fills), Money(0))
    cash = sum((event.usd for event in events), opening.usd) - paid
    account = simulated.venue.exchange.account(key.address.lower())
    assert account is not None
    assert cash == Money(account.balance)
    assert all(event.amount.decimal == event.usd.decimal for event in events)


def test_events_begin_at_the_requested_time(simulated: SimulatedHyperliquid) -> None:
    key = simulated.wallet()
    simulated.advance(1)
    simulated.deposit(key.address, "1")
    now = simulated.now()
    with simulated.observer() as observer:
        assert [event.usd for event in observer.cash_events(key.address, now)] == [Money(1)]
        assert observer.cash_events(key.address, now + timedelta(milliseconds=1)) == ()


def test_all_pages_are_read(simulated: SimulatedHyperliquid) -> None:
    key = simulated.wallet("1")
    for _ in range(1203):
        simulated.deposit(key.address, "1")
        simulated.clock._now += 1
    with simulated.observer() as observer:
        events = observer.cash_events(key.address, simulated.now() - timedelta(seconds=HOUR))
    assert len({event.venue_event_id for event in events}) == 1204


def moved(simulated: SimulatedHyperliquid, address: str, delta: dict[str, Any]) -> list[CashEvent]:
    row = {"time": simulated.clock.now(), "hash": "0x" + "a" * 64, "delta": delta}
    simulated.answers["userNonFundingLedgerUpdates"] = lambda _: [row]
    with simulated.observer() as observer:
        return list(observer.cash_events(address, simulated.now()))


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
def test_entries_that_move_cash(simulated: SimulatedHyperliquid, delta: dict[str, Any], usdc: str) -> None:
    (event,) = moved(simulated, ME, delta)
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
def test_send_entries(
    simulated: SimulatedHyperliquid, user: str, source: str, destination: str, target: str, token: str, usdc: str | None
) -> None:
    delta = {
        "type": "send", "user": user, "sourceDex": source, "destination": destination, "destinationDex": target,
        "token": token, "amount": "10.0", "usdcValue": "10.0", "fee": "1.0", "feeToken": "USDC", "nonce": 1,
    }  # fmt: skip
    assert [event.usd for event in moved(simulated, ME, delta)] == ([] if usdc is None else [Money(usdc)])


@pytest.mark.parametrize(
    "delta",
    [
        {"type": "spotTransfer", "token": "HYPE", "amount": "5.0", "usdcValue": "9.0", "user": ME, "fee": "0.0"},
        {"type": "liquidation", "liquidatedNtlPos": "9.0", "accountValue": "1.0"},
        {"type": "somethingNew", "usdc": "5.0"},
        {"type": "vaultWithdraw", "user": OTHER, "vault": ME, "netWithdrawnUsd": "4.5"},
    ],
)
def test_entries_that_move_no_cash(simulated: SimulatedHyperliquid, delta: dict[str, Any]) -> None:
    assert moved(simulated, ME, delta) == []


def test_the_same_transfer_is_two_events_for_two_accounts(simulated: SimulatedHyperliquid) -> None:
    delta = {"type": "internalTransfer", "usdc": "5.0", "user": ME, "destination": OTHER, "fee": "0.0"}
    (mine,), (theirs,) = moved(simulated, ME, delta), moved(simulated, OTHER, delta)
    assert mine.venue_event_id != theirs.venue_event_id
    assert mine.usd == -theirs.usd
