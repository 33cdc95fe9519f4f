"""A book asked for with few figures has twenty levels a side, from which orders take; open interest is the market's."""

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
import requests
from hyperliquid.exchange import Exchange  # type: ignore[import-untyped]

from strandline_sim.clock import SteppedClock
from strandline_sim.hyperliquid.venue import HyperliquidVenue
from tests.strandline_sim.hyperliquid.sample_venue import ALICE, START, make_venue, served
from tests.strandline_sim.hyperliquid.stream_client import Connection, with_connection


class Client:
    """A client of a served venue whose clock stands still."""

    def __init__(self, venue: HyperliquidVenue, url: str, clock: SteppedClock) -> None:
        self.venue = venue
        self._url = url
        self.clock = clock
        self.exchange = Exchange(ALICE, url, timeout=10)

    def query(self, kind: str, **more: Any) -> Any:
        return requests.post(self._url + "/info", json={"type": kind, **more}, timeout=10).json()

    def open_interest(self, coin: str) -> Decimal:
        meta, contexts = self.query("metaAndAssetCtxs")
        names = [listing["name"] for listing in meta["universe"]]
        return Decimal(contexts[names.index(coin)]["openInterest"])


@pytest.fixture
def client() -> Iterator[Client]:
    clock = SteppedClock(START)
    venue, _ = make_venue(clock=clock, nonce_window=False)
    with served(venue) as url:
        yield Client(venue, url, clock)


def total(side: list[dict[str, str]], worst: Decimal) -> Decimal:
    """Return the size of the bids that are not below a price."""
    return sum((Decimal(level["sz"]) for level in side if Decimal(level["px"]) >= worst), Decimal(0))


@pytest.mark.parametrize("coin", ["BTC", "ETH", "SOL"])
@pytest.mark.parametrize("figures", [2, 3, 4, 5, None])
def test_twenty_levels_a_side(client: Client, coin: str, figures: int | None) -> None:
    bids, asks = client.query("l2Book", coin=coin, nSigFigs=figures)["levels"]
    assert [len(bids), len(asks)] == [20, 20]
    for side, sign in ((bids, -1), (asks, 1)):
        prices = [sign * Decimal(level["px"]) for level in side]
        assert all(near < far for near, far in pairwise(prices))
        if figures is not None:
            assert all(len(price.normalize().as_tuple().digits) <= figures for price in prices)


def test_coarse_levels_have_the_fine_ones_in_them(client: Client) -> None:
    fine, coarse = (client.query("l2Book", coin="ETH", nSigFigs=figures)["levels"][0] for figures in (None, 3))
    last = Decimal(fine[-1]["px"])
    whole = [level for level in coarse if Decimal(level["px"]) >= last]
    assert sum(level["n"] for level in coarse) > sum(level["n"] for level in fine)
    assert total(whole, last) <= total(fine, last) <= total(coarse[: len(whole) + 1], Decimal(0))


def test_a_large_order_takes_from_the_depth(client: Client) -> None:
    fine = client.query("l2Book", coin="SOL")["levels"][1]
    coarse = client.query("l2Book", coin="SOL", nSigFigs=2)["levels"][1]
    size = round(sum(Decimal(level["sz"]) for level in fine) * Decimal("1.2"), 2)
    client.venue.deposit(ALICE.address, Decimal(1_000_000))
    answer = client.exchange.market_open("SOL", True, float(size))
    filled = answer["response"]["data"]["statuses"][0]["filled"]
    assert Decimal(filled["totalSz"]) == size
    left = client.query("l2Book", coin="SOL")["levels"][1]
    assert len(left) == 20
    assert Decimal(left[0]["px"]) > Decimal(fine[-1]["px"])
    now = client.query("l2Book", coin="SOL", nSigFigs=2)["levels"][1]
    within = [level for level in now if Decimal(level["px"]) <= Decimal(coarse[-1]["px"])]
    assert sum(Decimal(level["sz"]) for level in coarse) - sum(Decimal(level["sz"]) for level in within) == size
    asyncio.run(client.clock.step(500))
    assert Decimal(client.query("l2Book", coin="SOL")["levels"][1][0]["px"]) < Decimal(left[0]["px"])


def test_open_interest_is_the_markets_and_the_clients(client: Client) -> None:
    before = client.open_interest("SOL")
    assert before > 100_000
    client.exchange.market_open("SOL", True, 5)
    assert client.open_interest("SOL") == before + 5
    client.exchange.market_open("SOL", False, 7)
    assert client.open_interest("SOL") == before


@with_connection()
async def test_the_feed_of_a_coarse_book_has_twenty_levels_too(connection: Connection) -> None:
    for figures in (2, 3, 4):
        await connection.subscribe(type="l2Book", coin="BTC", nSigFigs=figures)
        assert [len(side) for side in (await connection.receive())["data"]["levels"]] == [20, 20]
