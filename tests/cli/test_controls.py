"""`strandline controls`: each order, given once, twice, and where it can do nothing."""

import re
from datetime import UTC, datetime, timedelta
from getpass import getuser
from typing import Any

import pytest
from sqlalchemy import text

from strandline.cycle.cycle_time import last_complete_cycle
from tests.cli.conftest import Command
from tests.conftest import Database
from tests.store.rows import OTHER_POSITION, POSITION, insert, insert_all

NOW = last_complete_cycle(datetime.now(UTC))
WHY = ("--why", "the wallet may be compromised")


@pytest.fixture(autouse=True)
def _in_this_database(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRANDLINE_DATABASE_URL", database.url.render_as_string(hide_password=False))


@pytest.fixture
def held(database: Database) -> Database:
    """BTC on 1h is held."""
    with database.session() as connection:
        insert_all(connection, "instruments", "positions", "holdings")
        insert(connection, "cycles", cycle_t=NOW)
    return database


def given(database: Database) -> list[Any]:
    """The orders that are stored, oldest first."""
    with database.session() as connection:
        return list(connection.execute(text("SELECT * FROM controls ORDER BY control_no")))


def strands(database: Database) -> list[Any]:
    """The strands of the chain `system`, oldest first."""
    with database.session() as connection:
        return list(connection.scalars(text("SELECT body::jsonb FROM strands WHERE chain = 'system' ORDER BY seq")))


@pytest.mark.parametrize("command", ["halt", "halt-all", "resume", "reset", "flatten", "force-exit"])
def test_an_order_without_a_reason_is_refused(strandline: Command, held: Database, command: str) -> None:
    row = ("BTC/1h",) if command == "force-exit" else ()
    assert strandline("controls", command, *row).code == 2
    refused = strandline("controls", command, *row, "--why", " ")
    assert (refused.code, "needs a name and a reason" in refused.err) == (1, True)
    assert given(held) == strands(held) == []


@pytest.mark.parametrize("command", ["halt", "halt-all", "resume", "reset", "flatten", "force-exit"])
def test_the_help_of_each_has_an_example(strandline: Command, command: str) -> None:
    assert f"Example: strandline controls {command} " in strandline("controls", command, "--help").out


def test_a_halt_is_stored_once_with_who_and_why_and_ended(strandline: Command, database: Database) -> None:
    assert strandline("controls", "halt", *WHY).out.startswith("Entries are halted")
    again = strandline("controls", "halt", "--why", "another", "--by", "bert")
    assert again.code == 0
    assert again.out.startswith(f"Nothing changed: entries halted by {getuser()} since ")
    assert again.out.endswith(": the wallet may be compromised.\n")
    assert strandline("controls", "resume", "--by", "bert", "--why", "false alarm").out.startswith("The halt is over")
    assert strandline("controls", "resume", "--why", "x").out.startswith("Nothing changed: nothing is halted")
    assert [(row.control, row.person, row.reason) for row in given(database)] == [
        ("halt", getuser(), "the wallet may be compromised"),
        ("resume", "bert", "false alarm"),
    ]
    first, second = strands(database)
    assert (first["kind"], first["reasons"]) == ("control", ["halt"])
    assert first["inputs"] == {"control_no": "1", "person": getuser(), "reason": "the wallet may be compromised"}
    assert second["inputs"]["ended"].startswith("entries halted by ")


def test_a_halt_becomes_a_halt_of_everything_and_not_the_other_way(strandline: Command, database: Database) -> None:
    strandline("controls", "halt", *WHY)
    assert "STOPS DO NOT FIRE" in strandline("controls", "halt-all", *WHY).out
    assert strandline("controls", "halt", *WHY).out.startswith("Nothing changed: every order halted by ")
    assert strandline("controls", "halt-all", *WHY).out.startswith("Nothing changed: every order halted by ")
    assert [row.control for row in given(database)] == ["halt", "halt_all"]


def test_only_what_a_person_resets_is_reset_and_only_once(strandline: Command, database: Database) -> None:
    reset = ("controls", "reset", "--why", "understood")
    assert strandline(*reset).out == "Nothing changed: neither drawdown nor losing_streak is tripped.\n"
    with database.session() as connection:
        insert(connection, "cycles", cycle_t=NOW)
        insert(connection, "equity", cycle_t=NOW, breakers=["daily_loss"])
    assert "daily_loss is tripped until 00:00 UTC; nobody resets it." in strandline(*reset).out
    with database.session() as connection:
        connection.execute(text("UPDATE equity SET breakers = '{daily_loss,drawdown,losing_streak}'"))
    done = strandline(*reset).out
    assert done.startswith("drawdown and losing_streak will be reset by the next cycle")
    assert done.endswith("nobody resets it.\n")
    assert strandline(*reset).out.startswith("Nothing changed: a reset is ordered already")
    assert [row.control for row in given(database)] == ["reset"]


def test_a_position_is_sold_once_asked_for(strandline: Command, held: Database) -> None:
    done = strandline("controls", "force-exit", "hyperliquid/perps/BTC/1h", *WHY).out
    assert re.match(r"To be sold: 0\.001 BTC 1h; planned by the cycle of \d\d:\d[05] UTC", done)
    assert "New entries are not stopped by this" in done
    assert "NO CYCLE" not in done
    assert strandline("controls", "force-exit", "btc/1H", *WHY).out.startswith("Nothing changed: ")
    assert [(row.control, str(row.position_id)) for row in given(held)] == [("force_exit", POSITION)]
    (strand,) = strands(held)
    assert (strand["position_id"], strand["token_contract"]) == (POSITION, "BTC")


def test_it_says_when_no_cycle_may_come(strandline: Command, database: Database) -> None:
    with database.session() as connection:
        insert_all(connection, "instruments", "positions", "holdings")
    assert "NO CYCLE HAS BEEN PLANNED YET" in strandline("controls", "flatten", *WHY).out


def test_a_position_that_holds_nothing_is_not_sold(strandline: Command, database: Database) -> None:
    with database.session() as connection:
        insert_all(connection, "instruments", "positions")
    refused = strandline("controls", "force-exit", "BTC/1h", *WHY)
    assert (refused.code, "holds nothing and buys nothing" in refused.err) == (1, True)
    assert strandline("controls", "flatten", *WHY).out.startswith("Nothing changed: nothing is held")
    assert given(database) == []


def test_entries_that_nobody_claimed_are_skipped_with_it(strandline: Command, held: Database) -> None:
    with held.session() as connection:
        insert(connection, "intents", cycle_t=NOW, expires_at=NOW + timedelta(minutes=9))
    assert "Entries that were planned and not sent were skipped: 1." in strandline("controls", "flatten", *WHY).out
    with held.session() as connection:
        assert connection.execute(text("SELECT status, status_reason FROM intents")).one() == ("skipped", "manual_exit")


def test_flatten_of_one_venue_and_then_of_all(strandline: Command, held: Database) -> None:
    with held.session() as connection:
        solana = {"token_chain": "solana", "book_id": "onchain_crypto", "token_contract": "JUP"}
        insert(connection, "positions", position_id=OTHER_POSITION, **solana)
        insert(connection, "holdings", position_id=OTHER_POSITION, quantity=7)
    assert strandline("controls", "flatten", "--venue", "Solana", *WHY).out.startswith("To be sold: 7 JUP 1h; ")
    assert strandline("controls", "flatten", "--venue", "solana", *WHY).out.startswith("Nothing changed: all that ")
    assert "To be sold: 0.001 BTC 1h, 7 JUP 1h; " in strandline("controls", "flatten", *WHY).out
    assert [(row.control, row.token_chain) for row in given(held)] == [("flatten", "solana"), ("flatten", None)]
    unknown = strandline("controls", "flatten", "--venue", "nyse", *WHY)
    assert (unknown.code, "there is no venue nyse" in unknown.err) == (1, True)


def test_an_unknown_position_is_refused(strandline: Command, held: Database) -> None:
    refused = strandline("controls", "force-exit", "hyperliquid/perps/DOGE/1h", *WHY)
    assert (refused.code, "there is no position hyperliquid/perps/DOGE/1h" in refused.err) == (1, True)
    assert given(held) == []
