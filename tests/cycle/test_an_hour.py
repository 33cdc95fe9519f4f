"""The whole way, cycle after cycle: what was decided was done, and every book agrees with every other."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from strandline.cli.demo.books import differences
from strandline.cycle.cycle_time import CYCLE_LENGTH
from strandline.model.canonical import from_json
from strandline.model.strand import GENESIS, Strand
from tests.conftest import Database
from tests.cycle.town import ACCOUNT, MOMENT, WALLET, Town, open_town

pytestmark = pytest.mark.slow
CYCLES = 9


@pytest.fixture
def town(database: Database) -> Iterator[Town]:
    """At the moment when its market begins to move."""
    with open_town(database) as opened:
        yield opened


def wrong_books(town: Town) -> list[str]:
    """Where our ledger differs from what truly happened."""
    tape = [entry._asdict() for entry in town.world.tape.entries()]
    with town.context.database.connect() as connection:
        return differences(connection, tape, ACCOUNT.address, str(WALLET.pubkey()))


def rows(connection: Connection, query: str, **values: object) -> list[Any]:
    return list(connection.execute(text(query), values))


def everything(town: Town) -> dict[str, list[Any]]:
    """All that the pipeline decides by, and all that it leaves."""
    tables = ("bars", "features", "cycles", "intents", "planner_state", "orders", "fills", "cash_events", "holdings",
              "cash", "trades", "strands")  # fmt: skip
    with town.context.database.connect() as connection:
        return {table: rows(connection, f"SELECT t::text FROM {table} t ORDER BY 1") for table in tables}


def assert_chains_are_whole(connection: Connection) -> None:
    last: dict[str, str] = {}
    for body, stored in rows(connection, "SELECT body, hash FROM strands ORDER BY chain, seq"):
        strand = from_json(body, Strand)
        assert strand.previous == last.get(strand.chain, GENESIS)
        assert strand.hash == stored
        last[strand.chain] = stored


def assert_strands_name_their_token(connection: Connection) -> None:
    """Decisions, outcomes and holds alike: by contract and by symbol."""
    strands = rows(
        connection,
        """
        SELECT s.kind, (r.token, r.symbol) IS NOT DISTINCT FROM (i.token_contract, i.symbol) AS named
        FROM strands s JOIN strand_records r USING (strand_id) JOIN positions p USING (position_id)
        JOIN instruments i USING (token_chain, book_id, token_contract)
        """,
    )
    assert {kind for kind, _ in strands} >= {"decision", "hold"}
    assert all(named for _, named in strands)


def test_an_hour_of_trading(town: Town) -> None:
    cycles = [MOMENT + number * CYCLE_LENGTH for number in range(CYCLES)]
    for cycle in cycles:
        said = town.cycle(cycle)
        assert said["check"]["errors"] == {}
        assert said["plan"]["outcome"] == "planned"
        assert wrong_books(town) == [], cycle

    with town.context.database.connect() as connection:
        filled = rows(
            connection,
            """
            SELECT DISTINCT p.token_chain, i.decision::text, i.exit_reason::text FROM intents i
            JOIN positions p USING (position_id) JOIN orders o USING (intent_id) JOIN fills f USING (order_id)
            """,
        )
        for venue in ("hyperliquid", "solana"):
            kinds = {(decision, reason) for chain, decision, reason in filled if chain == venue}
            assert ("add", None) in kinds, venue
            assert ("trim", None) in kinds, venue
        assert any(decision == "demote" for _, decision, _ in filled)
        assert rows(connection, "SELECT 1 FROM trades")
        assert not rows(connection, "SELECT 1 FROM open_intents WHERE NOT is_unsent(status)")
        assert_chains_are_whole(connection)
        assert_strands_name_their_token(connection)
        for cycle in cycles:
            decided, told = rows(
                connection,
                "SELECT decisions, (SELECT count(*) FROM positions) FROM cycles WHERE cycle_t = :cycle",
                cycle=cycle,
            )[0]
            assert decided == told


def test_a_cycle_that_runs_again_changes_nothing(town: Town) -> None:
    first = town.cycle(MOMENT)
    assert first["plan"]["intents"]
    before = everything(town)
    again = town.cycle(MOMENT)
    assert again["plan"] == {"outcome": "already_planned"}
    assert everything(town) == before
    assert wrong_books(town) == []


def test_only_the_newest_cycle_decides(town: Town) -> None:
    town.cycle(MOMENT)
    late, superseded = MOMENT - CYCLE_LENGTH, MOMENT - 2 * CYCLE_LENGTH
    from strandline.cycle.planning import plan_cycle

    assert plan_cycle(town.context, town.run(superseded)) == {"outcome": "superseded"}
    assert plan_cycle(town.context, town.run(late, run_type="backfill")) == {"outcome": "backfill"}
    far = MOMENT + CYCLE_LENGTH
    town.clock.leap_to(far + timedelta(minutes=6, seconds=1))
    assert plan_cycle(town.context, town.run(far)) == {"outcome": "stale_cycle"}
    with town.context.database.connect() as connection:
        outcomes = dict(rows(connection, "SELECT cycle_t, outcome FROM cycles"))
    assert outcomes == {MOMENT: "planned", superseded: "superseded", late: "backfill", far: "stale_cycle"}


def test_plan_only_shows_and_leaves_nothing(town: Town) -> None:
    from strandline.cycle.planning import plan_cycle

    town.cycle(MOMENT)
    nxt = MOMENT + CYCLE_LENGTH
    before = _prepared(town, nxt)
    shown = plan_cycle(town.context, town.run(nxt, plan_only=True))
    assert shown["outcome"] == "plan_only"
    assert shown["decisions"] > 0
    assert everything(town) == before


def _prepared(town: Town, cycle: datetime) -> dict[str, list[Any]]:
    """Everything up to planning has run for this cycle."""
    from strandline.bars import roll_up
    from strandline.cycle.engine_step import run_engine
    from strandline.quality import check

    town.clock.leap_to(cycle + timedelta(seconds=3))
    town.feed(cycle)
    roll_up(town.context.database, cycle)
    check(town.context.database, town.context.strategy, cycle, town.now())
    run_engine(town.context.database, town.context.strategy, cycle)
    return everything(town)
