"""Data Docs are rendered from stored results: which runs, what a page says, and where it is."""

import re
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, text

from strandline.quality.data_docs import render_data_docs
from strandline.quality.pages import links
from strandline.store.roles import Role
from tests.quality.samples import T, add_tick, revise_bar, run_checks

pytestmark = pytest.mark.slow


def pages(directory: Path) -> list[Path]:
    """The pages of runs."""
    return sorted(directory.glob("validations/**/*.html"))


def test_a_faulty_bar_is_named_in_its_page(admin: Connection, engine: Engine, tmp_path: Path) -> None:
    revise_bar(admin, low=-1.5)
    runs = run_checks(engine).runs
    rendered = render_data_docs(engine, tmp_path)
    assert (rendered.new, rendered.pages, rendered.start.exists()) == (4, 4, True)
    addresses = links(tmp_path, T, runs)
    assert {page.as_uri() for page in pages(tmp_path)} == set(addresses.values()) - {addresses["index"]}
    page = Path(addresses["bars"].removeprefix("file://")).read_text()
    assert "bad_bar_price (block_all): expect_column_values_to_be_between" in page
    assert "C 1m 2026-01-05 11:59:00 UTC: " in page
    assert "low -1.5" in page
    assert "max_value the largest number, min_value 0" in page
    assert "bad_bar_price" not in Path(addresses["ticks"].removeprefix("file://")).read_text()
    index = rendered.start.read_text()
    assert Path(addresses["bars"]).name in index
    assert (tmp_path / "index.html").exists()


def test_a_faulty_tick_and_a_selected_row_are_named(admin: Connection, engine: Engine, tmp_path: Path) -> None:
    add_tick(admin, engine, size=0.0)
    runs = run_checks(engine).runs
    render_data_docs(engine, tmp_path)
    addresses = links(tmp_path, T, runs)
    assert "1000000" in Path(addresses["ticks"].removeprefix("file://")).read_text()
    assert "bad_ticks_inside" in Path(addresses["bars"].removeprefix("file://")).read_text()


def test_a_suite_that_could_not_run_says_why(admin: Connection, engine: Engine, tmp_path: Path) -> None:
    admin.execute(text(f"REVOKE SELECT ON venue_candles FROM {Role.APP}"))
    admin.commit()
    runs = run_checks(engine).runs
    render_data_docs(engine, tmp_path)
    page = Path(links(tmp_path, T, runs)["bars"].removeprefix("file://")).read_text()
    assert "permission denied for table venue_candles" in page


def test_pages_load_nothing_from_the_network(admin: Connection, engine: Engine, tmp_path: Path) -> None:
    """But for what is in the directory, which is there; a page of an older version is mended, another stays."""
    revise_bar(admin, low=-1.5)
    run_checks(engine)
    start = render_data_docs(engine, tmp_path).start
    for page in (start, *pages(tmp_path)):
        html = page.read_text()
        assert not re.search(
            r"<script|(src|@import)\s*=?\s*[\"']?(https?:)?//|url\([\"']?(https?:)?//", html, re.IGNORECASE
        )
        for tag in re.findall(r"<(?:link|img)\b[^>]*>", html):
            (address,) = re.findall(r'(?:href|src)="([^"]*)"', tag)
            assert address.endswith("favicon.ico") or (page.parent / address).is_file(), tag
        assert html.count("offline.css") == 1
    first, second, *_ = pages(tmp_path)
    before = second.stat().st_mtime_ns
    first.write_text('<head><script src="https://cdn.example/a.js"></script></head><img src="//cdn.example/b.png">')
    render_data_docs(engine, tmp_path)
    assert "cdn.example" not in first.read_text()
    assert second.stat().st_mtime_ns == before


def test_a_page_is_rendered_once_and_old_ones_go(admin: Connection, engine: Engine, tmp_path: Path) -> None:
    """The newest twelve cycles have pages, and older runs that found something."""
    revise_bar(admin, low=-1.5)
    run_checks(engine)
    assert render_data_docs(engine, tmp_path).new == 4
    assert render_data_docs(engine, tmp_path).new == 0
    admin.execute(
        text("""
            INSERT INTO quality_runs (cycle_t, suite, ran_at, succeeded)
            SELECT CAST(:t AS timestamptz) + n * interval '5 minutes', 'ticks', :t, true
            FROM generate_series(1, 12) AS n
        """),
        {"t": T},
    )
    admin.commit()
    rendered = render_data_docs(engine, tmp_path)
    assert (rendered.new, rendered.pages) == (12, 13)
    assert len(pages(tmp_path)) == 13
    assert {page.parts[-4] for page in pages(tmp_path)} == {"ticks", "bars"}


def test_without_runs_there_is_nothing_to_render(engine: Engine, tmp_path: Path) -> None:
    assert render_data_docs(engine, tmp_path).pages == 0
