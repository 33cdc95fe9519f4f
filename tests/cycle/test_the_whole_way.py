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
from tests.cycle.trading_scenario import ACCOUNT, MOMENT, WALLET, TradingScenario, open_trading_scenario

pytestmark = pytest.mark.slow
CYCLES = 10
"""Until a row has risen far enough above its entry to be trimmed, and another has failed."""


@pytest.fixture
def scenario(database: Database) -> Iterator[TradingScenario]:
    """Opened when the market begins to move."""
    with open_trading_scenario(database) as opened:
        yield opened


def wrong_books(scenario: TradingScenario) -> list[str]:
    """Where the ledger differs from what the venues executed."""
    tape = [entry._asdict() for entry in scenario.world.tape.entries()]
    with scenario.context.database.connect() as connection:
        return differences(connection, tape, ACCOUNT.address, str(WALLET.pubkey()))


def rows(connection: Connection, query: str, **values: object) -> list[Any]:
    return list(connection.execute(text(query), values))


def everything(scenario: TradingScenario) -> dict[str, list[Any]]:
    """The content of every table that the pipeline decides by or writes."""
    tables = ("bars", "features", "cycles", "intents", "planner_state", "orders", "fills", "cash_events", "holdings",
              "cash", "trades", "strands")  # fmt: skip
    with scenario.context.database.connect() as connection:
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


def test_cycle_after_cycle(scenario: TradingScenario) -> None:
    cycles = [MOMENT + number * CYCLE_LENGTH for number in range(CYCLES)]
    for cycle in cycles:
        summaries = scenario.cycle(cycle)
        assert summaries["check"]["errors"] == summaries["check_signals"]["errors"] == {}
        assert summaries["check_signals"]["findings"] == {}
        assert summaries["plan"]["outcome"] == "planned"
        assert wrong_books(scenario) == [], cycle

    with scenario.context.database.connect() as connection:
        filled = rows(
            connection,
            """
            SELECT DISTINCT p.token_chain, i.decision::text, i.exit_reason::text FROM intents i
            JOIN positions p USING (position_id) JOIN orders o USING (intent_id) JOIN fills f USING (order_id)
            """,
        )
        for venue in ("hyperliquid", "solana"):
            assert (venue, "add", None) in {tuple(one) for one in filled}, venue
        assert {"trim", "demote"} <= {decision for _, decision, _ in filled}
        assert rows(connection, "SELECT 1 FROM trades")
        assert not rows(connection, "SELECT 1 FROM open_intents WHERE NOT is_unsent(status)")
        assert_chains_are_whole(connection)
        assert_strands_name_their_token(connection)
        for cycle in cycles:
            decisions, positions = rows(
                connection,
                "SELECT decisions, (SELECT count(*) FROM positions) FROM cycles WHERE cycle_t = :cycle",
                cycle=cycle,
            )[0]
            assert decisions == positions


def test_a_cycle_that_runs_again_changes_nothing(scenario: TradingScenario) -> None:
    first = scenario.cycle(MOMENT)
    assert first["plan"]["intents"]
    before = everything(scenario)
    again = scenario.cycle(MOMENT)
    assert again["plan"] == {"outcome": "already_planned"}
    assert everything(scenario) == before
    assert wrong_books(scenario) == []


def test_only_the_newest_cycle_decides(scenario: TradingScenario) -> None:
    scenario.cycle(MOMENT)
    late, superseded = MOMENT - CYCLE_LENGTH, MOMENT - 2 * CYCLE_LENGTH
    from strandline.cycle.planning import plan_cycle

    assert plan_cycle(scenario.context, scenario.run(superseded)) == {"outcome": "superseded"}
    assert plan_cycle(scenario.context, scenario.run(late, run_type="backfill")) == {"outcome": "backfill"}
    far = MOMENT + CYCLE_LENGTH
    scenario.clock.set_forward(far + timedelta(minutes=6, seconds=1))
    assert plan_cycle(scenario.context, scenario.run(far)) == {"outcome": "stale_cycle"}
    with scenario.context.database.connect() as connection:
        outcomes = dict(rows(connection, "SELECT cycle_t, outcome FROM cycles"))
    assert outcomes == {MOMENT: "planned", superseded: "superseded", late: "backfill", far: "stale_cycle"}


def test_plan_only_shows_and_leaves_nothing(scenario: TradingScenario) -> None:
    from strandline.cycle.planning import plan_cycle

    scenario.cycle(MOMENT)
    nxt = MOMENT + CYCLE_LENGTH
    before = _prepared(scenario, nxt)
    shown = plan_cycle(scenario.context, scenario.run(nxt, plan_only=True))
    assert shown["outcome"] == "plan_only"
    assert shown["decisions"] > 0
    assert everything(scenario) == before


def _prepared(scenario: TradingScenario, cycle: datetime) -> dict[str, list[Any]]:
    """Everything up to planning has run for this cycle."""
    from strandline.bars import roll_up
    from strandline.cycle.engine_step import run_engine
    from strandline.quality import check, check_signals

    scenario.clock.set_forward(cycle + timedelta(seconds=3))
    scenario.feed(cycle)
    roll_up(scenario.context.database, cycle)
    check(scenario.context.database, scenario.context.strategy, cycle, scenario.now())
    run_engine(scenario.context.database, scenario.context.strategy, cycle)
    check_signals(scenario.context.database, scenario.context.strategy, cycle, scenario.now())
    return everything(scenario)
