"""Airflow's task: which days it loads, what it logs and returns, and that a bad file fails it."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from strandline.cycle.backfill import run_backfill
from strandline.cycle.backfill_form import FIELDS, read_form
from strandline.cycle.backfill_task import load_history
from strandline.model.errors import StrandlineError
from strandline.model.source import HistorySource
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from tests.conftest import Database
from tests.history.archives import HOUR, Trade, write_trades
from tests.history.loading import contents, register, rows
from tests.settings.isolation import isolate

DAY = datetime(2025, 8, 2, tzinfo=UTC)
ONE = timedelta(days=1)


def dag_run(kind: str = "backfill", interval: tuple[datetime | None, datetime | None] = (DAY, DAY + ONE)) -> Any:
    """A run of Airflow's."""
    return SimpleNamespace(
        run_type=SimpleNamespace(value=kind), data_interval_start=interval[0], data_interval_end=interval[1],
        run_after=DAY + 5 * ONE + 7 * HOUR,
    )  # fmt: skip


def form(**filled: object) -> Mapping[str, Any]:
    """The form, with the defaults of what was not filled in."""
    return {**{name: field["default"] for name, field in FIELDS.items()}, **filled}


@pytest.mark.parametrize(
    ("run", "filled", "span"),
    [
        (dag_run(), {}, (DAY, DAY + ONE)),
        (dag_run("scheduled"), {}, (DAY, DAY + ONE)),
        (dag_run("manual"), {}, (DAY, DAY + ONE)),
        (dag_run("manual", (None, None)), {}, (DAY + 4 * ONE, DAY + 5 * ONE)),
        (dag_run("manual"), {"from": "2025-07-01", "to": "2025-07-03"}, (DAY - 32 * ONE, DAY - 29 * ONE)),
        (dag_run("manual"), {"from": "2025-07-01"}, (DAY - 32 * ONE, DAY - 31 * ONE)),
        (dag_run("manual"), {"to": "2025-07-01"}, (DAY - 32 * ONE, DAY - 31 * ONE)),
        (dag_run("backfill"), {"source": "file"}, (DAY, DAY + ONE)),
    ],
)
def test_the_form_s_days_come_before_the_run_s(
    run: Any, filled: Mapping[str, str], span: tuple[datetime, datetime]
) -> None:
    request = read_form(run, form(**filled))
    assert (request.starts_at, request.ends_at) == span
    assert request.venue == HYPERLIQUID_PERPS


def test_a_file_without_days_is_loaded_whole() -> None:
    request = read_form(dag_run("manual"), form(source="file", path="~/x.csv", symbols=["BTC", " ETH "], again=True))
    assert request.ends_at - request.starts_at > timedelta(days=365 * 100)
    assert request.source is HistorySource.FILE
    assert request.path == Path.home() / "x.csv"
    assert (list(request.symbols), request.again) == (["BTC", "ETH"], True)


def test_each_day_is_loaded_once_whatever_the_order(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Three days backwards, with the middle one twice, as Airflow's backfill does with --run-backwards and a clear."""
    isolate(monkeypatch, tmp_path)
    monkeypatch.setenv("STRANDLINE_DATABASE_URL", database.url.render_as_string(hide_password=False))
    register(database)
    archive = tmp_path / "archive"
    hours = [DAY + number * HOUR for number in range(73)]
    write_trades(archive, "node_fills", {hour: [Trade(hour, index)] for index, hour in enumerate(hours)})
    asked = form(source="archive", path=str(archive), symbols=["BTC"])
    caplog.set_level(logging.INFO)
    summaries = [
        load_history(dag_run(interval=(DAY + day * ONE, DAY + (day + 1) * ONE)), asked) for day in (2, 1, 1, 0)
    ]
    assert [summary["stored"] for summary in summaries] == [24, 24, 0, 24]
    assert [summary["units"] for summary in summaries[1:3]] == [{"loaded": 26}, {"loaded before": 26}]
    assert rows(database, "SELECT count(*), count(DISTINCT ts) FROM ticks") == [(72, 72)]
    assert rows(database, "SELECT count(*) FROM bars WHERE timeframe = '1d'") == [(3,)]
    assert "26 of 26: node_fills/20250805/0 loaded" in caplog.text
    assert "2 of 26: node_fills/20250804/0 loaded; 1 rows, 1 of them new" in caplog.text
    before = contents(database)
    whole = form(source="archive", path=str(archive), symbols=["BTC"], **{"from": "2025-08-02", "to": "2025-08-04"})
    assert load_history(dag_run("manual"), whole)["stored"] == 0
    assert contents(database) == before


def test_a_session_that_is_cut_off_is_told_in_words_and_harms_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    isolate(monkeypatch, tmp_path)
    monkeypatch.setenv("STRANDLINE_DATABASE_URL", database.url.render_as_string(hide_password=False))
    register(database)
    write_trades(tmp_path, "node_fills", {DAY + hour * HOUR: [Trade(DAY + hour * HOUR, hour)] for hour in range(4)})
    request = read_form(dag_run(), form(source="archive", path=str(tmp_path), symbols=["BTC"]))

    def cut_off(*_: object) -> None:
        rows(database, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%ingest'")

    with pytest.raises(StrandlineError, match="the database cannot be reached"):
        run_backfill(request, cut_off)
    assert rows(database, "SELECT count(*) FROM ticks") == [(1,)]
    assert run_backfill(request, lambda *_: None)["units"] == {"loaded before": 1, "loaded": 3}
    assert rows(database, "SELECT count(*) FROM ticks") == [(4,)]


def test_a_bad_file_fails_the_task_and_keeps_the_rest(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    isolate(monkeypatch, tmp_path)
    monkeypatch.setenv("STRANDLINE_DATABASE_URL", database.url.render_as_string(hide_password=False))
    register(database)
    write_trades(
        tmp_path, "node_fills", {DAY + number * HOUR: [Trade(DAY + number * HOUR, number)] for number in (0, 1)}
    )
    path = tmp_path / "node_fills" / "hourly" / "20250802" / "1.lz4"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(StrandlineError, match=r"1\.lz4 is damaged or cut off .* what was loaded is kept"):
        load_history(dag_run(), form(source="archive", path=str(tmp_path), symbols=["BTC"]))
    assert rows(database, "SELECT count(*) FROM ticks") == [(1,)]
