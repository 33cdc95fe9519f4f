"""A room to book in, at either kind of venue."""

from collections.abc import Iterator

import pytest

from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from strandline.venues.solana.key import SOLANA_ONCHAIN
from tests.conftest import Database
from tests.execution.book_room import BookRoom


@pytest.fixture
def room(database: Database) -> Iterator[BookRoom]:
    """On margin, with nonces."""
    opened = BookRoom(database, HYPERLIQUID_PERPS)
    yield opened
    opened.close()


@pytest.fixture
def cash_room(database: Database) -> Iterator[BookRoom]:
    """Paid with cash, with signatures and gas."""
    opened = BookRoom(database, SOLANA_ONCHAIN)
    yield opened
    opened.close()
