"""A bench to book in, at either kind of venue."""

from collections.abc import Iterator

import pytest

from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from strandline.venues.solana.key import SOLANA_ONCHAIN
from tests.conftest import Database
from tests.execution.execution_bench import ExecutionBench


@pytest.fixture
def bench(database: Database) -> Iterator[ExecutionBench]:
    """A bench at a margined venue, whose orders have nonces."""
    opened = ExecutionBench(database, HYPERLIQUID_PERPS, margined=True)
    yield opened
    opened.close()


@pytest.fixture
def cash_bench(database: Database) -> Iterator[ExecutionBench]:
    """A bench at a venue that is paid with cash, whose orders have signatures and cost gas."""
    opened = ExecutionBench(database, SOLANA_ONCHAIN, margined=False)
    yield opened
    opened.close()
