"""The fuzzed frames of `tests.feeds.fuzz`, some thousands of them."""

from pathlib import Path

import pytest

from tests.conftest import Database
from tests.feeds.fuzz.proof import FuzzProof


@pytest.mark.slow
def test_every_fuzzed_frame_is_accounted_for(database: Database, tmp_path: Path) -> None:
    found = FuzzProof(4_000, 1, database, tmp_path, portions=3).run()
    assert found["unharmed_trades"] > 5_000
    assert found["quarantined"] > 1_000
    assert found["oversized"] == 3
    assert min(found["kinds"].values()) > 0
