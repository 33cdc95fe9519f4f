"""`strandline data status`: the table, the picture, and the same for programs."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from strandline.cli.data.status import block
from tests.cli.conftest import Command
from tests.conftest import Database
from tests.retention.ticks import some, store
from tests.store.rows import insert

NOW = datetime.now(UTC).replace(second=0, microsecond=0)
FROM = NOW - timedelta(hours=2)


@pytest.fixture(autouse=True)
def _in_this_database(database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STRANDLINE_DATABASE_URL", database.url.render_as_string(hide_password=False))
    monkeypatch.setenv("STRANDLINE_ARCHIVE_DIR", str(tmp_path / "archive"))
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture
def _bars(database: Database) -> None:
    """C0 has every minute of two hours, C1 every second one, with outages; both have an archived day."""
    store(database, some())
    with database.session() as connection:
        compared_at = NOW - timedelta(hours=3, minutes=20)
        comparison = {"compared_at": compared_at, "compared_until": compared_at, "minutes": 5, "differing": 0}
        insert(connection, "candle_comparisons", instrument_id=1, asked_at=compared_at, **comparison)
        for minute in range(120):
            ts = FROM + timedelta(minutes=minute)
            insert(connection, "bars", instrument_id=1, ts=ts)
            if minute % 2 == 0:
                insert(connection, "bars", instrument_id=2, ts=ts, outage=minute < 20, repaired=minute < 6)


def test_nothing_yet(strandline: Command) -> None:
    assert strandline("data", "status").out == "There are no bars yet.\nNo ticks are archived yet.\n"


@pytest.mark.usefixtures("_bars")
def test_a_line_of_facts_and_a_line_of_blocks_per_symbol(strandline: Command) -> None:
    strandline("maintenance")
    lines = strandline("data", "status").out.splitlines()
    assert lines[0].split() == [
        "symbol",
        "from",
        "age",
        "minutes",
        "missing",
        "damaged",
        "repaired",
        "compared",
        "archived",
    ]
    assert lines[1].split()[:3] == ["C0", *f"{FROM:%Y-%m-%d %H:%M}".split()]
    assert lines[1].split()[5:] == ["120", "0", "0", "0", "3", "h", "1", "d"]
    assert lines[2].split()[5:] == ["60", "59", "7", "3", "never", "1", "d"]
    pictures = lines[-4:-2]
    # The last block may have a minute that is over since the bars were made.
    assert set(pictures[0].removeprefix("C0").split()[0][:-1]) == {"█"}
    assert pictures[0].endswith("100.0 %")
    # The first block may have no more than one minute.
    assert not set("█·") & set(pictures[1].removeprefix("C1").split()[0][1:])
    assert pictures[1].endswith("50.4 %")
    assert max(map(len, lines)) <= 100
    assert lines[-1] == f"Archived: 1 day from 2026-01-01 to 2026-01-01, 267 ticks in {lines[-1].split(' in ')[1]}"


@pytest.mark.usefixtures("_bars")
@pytest.mark.parametrize("columns", ["80", "200"])
def test_the_picture_is_as_wide_as_the_terminal_allows(
    strandline: Command, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    widest = max(map(len, strandline("data", "status").out.splitlines()))
    assert 0.7 * int(columns) < widest <= int(columns)


@pytest.mark.usefixtures("_bars")
def test_symbols_and_days_are_chosen(strandline: Command) -> None:
    out = strandline("data", "status", "--symbols", "c1, nope").out
    assert "C0" not in out
    assert "There are no bars of nope." in out
    day = f"{FROM - timedelta(days=3):%Y-%m-%d}"
    found = json.loads(strandline("data", "status", "--from", day, "--to", day, "--json").out)
    assert (found["from"], found["to"][:10]) == (f"{day}T00:00:00+00:00", f"{FROM - timedelta(days=2):%Y-%m-%d}")
    assert [one["minutes"] for one in found["symbols"]] == [0, 0]
    tomorrow = f"{NOW + timedelta(days=1):%Y-%m-%d}"
    assert strandline("data", "status", "--from", tomorrow).code == 2


@pytest.mark.usefixtures("_bars")
def test_programs_get_the_same(strandline: Command) -> None:
    strandline("maintenance")
    found = json.loads(strandline("data", "status", "--json").out)
    c0, c1 = found["symbols"]
    assert (c0["venue"], c0["symbol"], c0["minutes"], c0["missing"]) == ("hyperliquid/perps", "C0", 120, 0)
    assert (c1["expected"], c1["missing"], c1["damaged"], c1["repaired"]) == (119, 59, 7, 3)
    assert c1["archived_days"] == 1
    assert (c0["compared_at"], c1["compared_at"]) == ((NOW - timedelta(hours=3, minutes=20)).isoformat(), None)
    assert len(c1["coverage"]) == 48
    assert c1["coverage"][0] is None
    assert found["archive"]["rows"] == 267


@pytest.mark.usefixtures("_bars")
def test_two_of_the_same_symbol_are_told_apart(strandline: Command, database: Database) -> None:
    with database.session() as connection:
        insert(
            connection, "instruments", token_chain="solana", book_id="onchain_crypto", token_contract="C", symbol="C0"
        )
        number = connection.scalar(text("SELECT max(instrument_id) FROM instruments"))
        insert(connection, "bars", instrument_id=number, ts=FROM)
    names = [line.split("  ")[0] for line in strandline("data", "status").out.splitlines()]
    assert names[1:4] == ["C0 hyperliquid", "C1", "C0 solana"]


def test_only_a_whole_bucket_is_a_whole_block() -> None:
    shares = [0.0, 0.001, 0.2, 0.35, 0.5, 0.6, 0.75, 0.999, 1.0]
    assert "".join(block(share)[0] for share in shares) == "·▁▂▃▄▅▆▇█"
    assert block(None)[0] == " "
