"""The long proofs of `tests.feeds.tape`, in their short form."""

from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from strandline.store.migrate import migrate
from strandline.store.postgres.server import EmbeddedPostgres
from tests.conftest import Database
from tests.feeds.tape.proof import Plan, Proof, database_of


@pytest.mark.slow
def test_the_tables_tell_the_venues_tape(database: Database, tmp_path: Path) -> None:
    plan = Plan(
        trades=25_000,
        coins=6,
        seed=1,
        rate=2_500,
        past_hours=12,
        interruptions=1,
        replacements=1,
        wait_for_repair=False,
        history_loaded=False,
    )
    found = Proof(plan, database, tmp_path).run()
    assert found["faults"] == {}, found["examples"]
    assert found["stored"] >= 25_000 - found["withheld"]
    assert found["withheld"] > 0
    assert found["expected"]["interruptions"] == 1
    assert min(found[f"bars_{timeframe}"] for timeframe in ("1m", "5m", "15m", "1h", "4h")) > 0
    assert found["revisions"] > 0
    assert found["events"]["rollups"] > 0


@pytest.mark.slow
def test_what_is_lost_in_chaos_is_marked_and_repaired(tmp_path: Path) -> None:
    plan = Plan(trades=30_000, coins=6, seed=2, rate=1_000, accidents=3, kills=2, restarts=1, over_a_minute=True)
    with EmbeddedPostgres(tmp_path / "postgres", settings={"fsync": "off"}) as postgres:
        migrate(create_engine(postgres.url(), poolclass=NullPool))
        found = Proof(plan, database_of(postgres), tmp_path, postgres).run()
    assert found["faults"] == {}, found["examples"]
    assert found["missing"] > 0
    assert found["minutes_from_candles"] > 0
    assert found["events"]["kills"] == 2
    assert found["events"]["immediate_restarts"] == 1
    assert found["archive"]["faults"] == {}, found["archive"]["examples"]
    assert found["archive"]["missing"] == 0


@pytest.mark.slow
def test_two_sidecars_that_stream_the_same_store_each_trade_once(database: Database, tmp_path: Path) -> None:
    """Each of their batches has trades that the other one has stored."""
    found = Proof(Plan(trades=15_000, coins=6, seed=3, rate=1_500, replicas=2), database, tmp_path).run()
    assert found["faults"] == {}, found["examples"]
    assert found["stored"] == found["trades"] - found["withheld"]
