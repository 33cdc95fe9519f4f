"""The observer reads prices and balances by public address."""

import pytest
from solders.keypair import Keypair

from strandline.model.exact import Amount, Money, Price
from strandline.model.fill import CashCause
from strandline.venues.solana.jupiter import JupiterError
from strandline.venues.solana.node import NodeError
from strandline_sim.faults import FaultKind, Rule
from tests.strandline_sim.solana.simulation import BONK, SOL, UNPRICED, USDC
from tests.venues.solana.simulated_solana import SimulatedSolana

NOBODY = str(Keypair.from_seed(b"n" * 32).pubkey())


def test_marks_are_jupiters_prices(simulated: SimulatedSolana) -> None:
    with simulated.observer() as observer:
        marks = observer.marks({BONK, SOL, str(UNPRICED.mint)})
    assert set(marks) == {BONK, SOL}  # what it has no price for is left out
    for token, mark in marks.items():
        assert (mark.price, mark.observed_at) == (simulated.price(token), simulated.now())


def test_many_marks_take_several_requests(simulated: SimulatedSolana) -> None:
    """Jupiter refuses more than fifty mints at once."""
    strangers = [f"stranger{number}" for number in range(120)]
    with simulated.observer() as observer:
        assert set(observer.marks([*strangers, BONK])) == {BONK}
        assert observer.marks([]) == {}


def test_a_quote_is_around_the_price(simulated: SimulatedSolana) -> None:
    with simulated.observer() as observer:
        quote = observer.quote(BONK)
        assert quote.bid < simulated.price(BONK) < quote.ask
        with pytest.raises(JupiterError, match="no price"):
            observer.quote(str(UNPRICED.mint))


def test_the_opening_is_usdc_and_sol(simulated: SimulatedSolana) -> None:
    address = str(simulated.wallet(sol=0.5, USDC=123_456_789, BONK=10**9).pubkey())
    with simulated.observer() as observer:
        opening = observer.opening(address)
        assert observer.opening(address) == opening  # the same deposit when it is read again
    amounts = {event.asset: (event.amount, event.usd) for event in opening}
    assert amounts == {
        "USDC": (Amount("123.456789"), Money("123.456789")),
        "SOL": (Amount("0.5"), Amount("0.5").at(simulated.price(SOL))),
    }
    assert {event.cause for event in opening} == {CashCause.DEPOSIT}
    assert len({event.venue_event_id for event in opening}) == 2


def test_an_empty_wallet_opens_with_nothing(simulated: SimulatedSolana) -> None:
    with simulated.observer() as observer:
        assert observer.opening(NOBODY) == ()
        assert observer.cash_events(NOBODY, simulated.now()) == ()


def test_wrapped_sol_does_not_count_as_gas(simulated: SimulatedSolana) -> None:
    address = str(simulated.wallet(sol=0.5, SOL=10**9).pubkey())
    with simulated.observer() as observer:
        assert [event.amount for event in observer.opening(address) if event.asset == "SOL"] == [Amount("0.5")]


@pytest.mark.parametrize("kind", [FaultKind.STATUS, FaultKind.DROP_ANSWER, FaultKind.MALFORMED])
def test_an_unreachable_venue_raises(simulated: SimulatedSolana, kind: FaultKind) -> None:
    simulated.faults.add(Rule(route="solana/*", kind=kind, value=502, times=None))
    with simulated.observer() as observer:
        with pytest.raises(JupiterError):
            observer.marks([BONK])
        with pytest.raises(JupiterError):
            observer.quote(BONK)
        with pytest.raises(NodeError):
            observer.opening(str(simulated.wallet().pubkey()))


def test_an_api_key_is_sent_to_jupiter(simulated: SimulatedSolana) -> None:
    with simulated.observer(api_key="right") as observer:
        assert observer.marks([USDC])[USDC].price == Price(1)
    with simulated.observer(api_key="wrong") as observer, pytest.raises(JupiterError, match="401"):
        observer.marks([USDC])
