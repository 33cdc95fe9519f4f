"""`strandline positions`: rows are added, shown and changed; what cannot be is refused in words."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from strandline_sim.clock import RunningClock
from strandline_sim.world import Endpoints, World
from tests.cli.conftest import Command
from tests.conftest import Database
from tests.cycle.trading_scenario import served
from tests.store.rows import OTHER_POSITION, POSITION, insert, insert_all

WHY = ("--why", "for the test")


@pytest.fixture(scope="module")
def venues() -> Iterator[Endpoints]:
    """The simulated venues."""
    with served(World(RunningClock(int(time.time() * 1000)))) as endpoints:
        yield endpoints


@pytest.fixture(autouse=True)
def _in_this_database(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRANDLINE_DATABASE_URL", database.url.render_as_string(hide_password=False))


@pytest.fixture
def asked(venues: Endpoints, monkeypatch: pytest.MonkeyPatch) -> None:
    """The venues answer."""
    monkeypatch.setenv("STRANDLINE_HYPERLIQUID_URL", venues.hyperliquid)
    monkeypatch.setenv("STRANDLINE_JUPITER_URL", venues.jupiter)
    monkeypatch.setenv("STRANDLINE_SOLANA_RPC_URL", venues.solana)


@pytest.fixture
def row(database: Database) -> Database:
    """There is a row of BTC on 1h, which holds nothing."""
    with database.session() as connection:
        insert_all(connection, "instruments", "positions")
    return database


def rows(database: Database) -> list[Any]:
    """All rows."""
    with database.session() as connection:
        return list(connection.execute(text("SELECT * FROM positions ORDER BY token_contract")))


def given(database: Database) -> list[tuple[str, str]]:
    """The orders, each with the row that its strand names; both have the same reason."""
    with database.session() as connection:
        found = connection.execute(
            text("""
            SELECT control::text, body::jsonb -> 'inputs' ->> 'row' AS row FROM controls c
            JOIN strands s ON s.chain = 'system' AND (body::jsonb -> 'inputs' ->> 'control_no')::int = control_no
              AND body::jsonb -> 'inputs' ->> 'reason' = reason AND s.position_id = c.position_id
            ORDER BY control_no
            """)
        )
        return [(one.control, one.row) for one in found]


@pytest.mark.parametrize("command", ["add", "pause", "resume", "archive", "weight"])
def test_the_help_of_each_has_an_example(strandline: Command, command: str) -> None:
    assert f"Example: strandline positions {command} " in strandline("positions", command, "--help").out


@pytest.mark.usefixtures("asked")
def test_a_row_is_added_under_the_venues_own_name_of_the_token(strandline: Command, database: Database) -> None:
    done = strandline("positions", "add", "HyperLiquid", "kpepe", "1H", *WHY)
    assert done.out.startswith(
        "hyperliquid/perps/kPEPE/1h is added with weight 0.4. The sidecar streams it within 30 s"
    )
    (added,) = rows(database)
    assert (added.token_contract, added.timeframe, str(added.weight)) == ("kPEPE", "1h", "0.4")
    assert given(database) == [("add_position", "hyperliquid/perps/kPEPE/1h")]
    again = strandline("positions", "add", "hyperliquid/perps", "kPEPE", "1h", *WHY)
    assert (again.code, "exists already, with weight 0.4 and status open" in again.err) == (1, True)
    assert len(given(database)) == 1


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nyse", "BTC", "1h"), "there is no venue nyse; use one of hyperliquid/perps, solana/onchain_crypto"),
        (("hyperliquid", "BTC", "2h"), "there is no timeframe 2h; use one of 1m, 5m, 15m, 1h, 4h, 1d"),
        (("hyperliquid", "PEPE", "1h"), "hyperliquid/perps does not list PEPE; "),
        (("hyperliquid", "PEPE", "1h"), "did you mean kPEPE?"),
        (("solana", "So1anaToken", "1h"), "solana/onchain_crypto does not list So1anaToken; "),
        (("hyperliquid", "BTC", "1h", "--weight", "-1"), "-1 is no weight; "),
        (("hyperliquid", "BTC", "1h", "--weight", "much"), "much is no weight; "),
    ],
)
def test_what_does_not_exist_is_refused(
    strandline: Command, database: Database, arguments: tuple[str, ...], message: str
) -> None:
    refused = strandline("positions", "add", *arguments, *WHY)
    assert (refused.code, message in refused.err) == (1, True), refused.err
    assert rows(database) == given(database) == []


def test_a_venue_that_does_not_answer_is_believed_and_said(
    strandline: Command, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRANDLINE_HYPERLIQUID_URL", "http://127.0.0.1:1")
    done = strandline("positions", "add", "hyperliquid", "BTC", "1h", "--weight", "0.25", *WHY)
    assert "hyperliquid/perps could not be asked whether it lists BTC" in done.out
    assert [(one.token_contract, str(one.weight)) for one in rows(database)] == [("BTC", "0.25")]


def test_a_row_is_paused_and_resumed_and_twice_is_nothing_new(strandline: Command, row: Database) -> None:
    assert "is paused: it sells by its rules" in strandline("positions", "pause", "BTC/1h", *WHY).out
    assert strandline("positions", "pause", POSITION, *WHY).out.startswith("Nothing changed: ")
    assert [one.desired_status for one in rows(row)] == ["paused"]
    assert "trades again; it was paused" in strandline("positions", "resume", "btc/1h", *WHY).out
    assert strandline("positions", "resume", "BTC/1h", *WHY).out.startswith("Nothing changed: ")
    assert [one.desired_status for one in rows(row)] == ["open"]
    assert [control for control, _ in given(row)] == ["pause_position", "resume_position"]


def test_an_entry_that_is_planned_is_skipped_by_a_pause(strandline: Command, row: Database) -> None:
    with row.session() as connection:
        insert_all(connection, "cycles", "intents")
    assert "Its entry that was planned and not sent is skipped." in strandline("positions", "pause", "BTC/1h", *WHY).out
    with row.session() as connection:
        assert connection.execute(text("SELECT status, status_reason FROM intents")).one() == ("skipped", "paused")


def test_a_flat_row_is_archived_and_comes_back(strandline: Command, row: Database) -> None:
    assert "is archived: no data, no trades" in strandline("positions", "archive", "BTC/1h", *WHY).out
    assert strandline("positions", "archive", "BTC/1h", *WHY).out.startswith("Nothing changed: ")
    refused = strandline("positions", "pause", "BTC/1h", *WHY)
    assert (refused.code, "is archived, so it does not trade" in refused.err) == (1, True)
    assert strandline("positions", "list").out.startswith("There are no positions yet")
    assert "archived" in strandline("positions", "list", "--archived").out
    assert "trades again; it was archived" in strandline("positions", "resume", "BTC/1h", *WHY).out
    assert [control for control, _ in given(row)] == ["archive_position", "resume_position"]


@pytest.mark.parametrize(
    ("tables", "left"),
    [
        (("holdings",), "it holds 0.001 BTC 1h"),
        (("cycles", "intents"), "its add is planned"),
        (("cycles", "intents", "venue_accounts", "orders"), "its add is in doubt at the venue"),
    ],
)
def test_a_row_that_is_not_flat_is_not_archived(
    strandline: Command, row: Database, tables: tuple[str, ...], left: str
) -> None:
    with row.session() as connection:
        insert_all(connection, *tables)
    refused = strandline("positions", "archive", "BTC/1h", *WHY)
    assert (refused.code, left in refused.err) == (1, True), refused.err
    assert "force-exit" in refused.err
    assert [one.desired_status for one in rows(row)] == ["open"]
    assert given(row) == []


def test_a_weight_is_set(strandline: Command, row: Database) -> None:
    assert strandline("positions", "weight", "BTC/1h", "0.15", *WHY).out == (
        "The weight of hyperliquid/perps/BTC/1h is 0.15; it was 0.4. The next cycle sizes by it.\n"
    )
    assert strandline("positions", "weight", "BTC/1h", "0.150", *WHY).out.startswith("Nothing changed: ")
    refused = strandline("positions", "weight", "BTC/1h", "x", *WHY)
    assert (refused.code, "x is no weight" in refused.err) == (1, True)
    assert [str(one.weight) for one in rows(row)] == ["0.15"]


def test_a_name_that_several_rows_have_is_refused(strandline: Command, row: Database) -> None:
    with row.session() as connection:
        insert(connection, "positions", position_id=OTHER_POSITION, token_chain="solana", book_id="onchain_crypto")
    refused = strandline("positions", "pause", "BTC/1h", *WHY)
    assert (refused.code, "BTC/1h may be any of hyperliquid/perps/BTC/1h, solana" in refused.err) == (1, True)
    for name in ("no such", "BTC/2h", "hyperliquid/perps/1h", "/", "hyperliquid/perps/BTC/1h/x"):
        refused = strandline("positions", "pause", name, *WHY)
        assert (refused.code, f"there is no position {name}" in refused.err) == (1, True)


def test_the_list_shows_what_a_row_is_and_holds(strandline: Command, row: Database) -> None:
    with row.session() as connection:
        insert_all(connection, "holdings")
        insert(connection, "engine_states", timeframe="1h", bar_count=1000, adopted=True, ready=True)
        insert(connection, "positions", position_id=OTHER_POSITION, token_contract="ETH", weight=1)
    shown = strandline("positions", "list").out
    assert "666/666" in shown
    first, second = json.loads(strandline("positions", "list", "--json").out)
    assert (first["position"], first["status"], first["quantity"], first["average_entry"], first["bars"]) == (
        "hyperliquid/perps/BTC/1h",
        "active",
        "0.001",
        "83800",
        1000,
    )
    assert (second["status"], second["bars"], second["bars_needed"], second["decision"]) == ("dormant", 0, 666, None)
