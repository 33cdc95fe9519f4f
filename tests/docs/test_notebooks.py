"""The code of docs/notebooks.md runs, and draws what it says.

`python -m tests.docs.notebook_picture` makes the page's picture anew.
"""

from pathlib import Path

import pytest

from strandline import frames
from tests.conftest import Database, Server
from tests.docs.notebook_picture import PICTURE, draw
from tests.frames.conftest import lead_to
from tests.frames.series import END, START, insert_series, step_series

PAGE = Path(__file__).parents[2] / "docs" / "notebooks.md"


@pytest.fixture
def series(server: Server, template: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Database:
    """The series of the picture, where a notebook finds it."""
    database = server.create(template)
    with database.session() as connection:
        insert_series(connection)
    step_series(database)
    lead_to(database, monkeypatch, tmp_path)
    return database


@pytest.mark.slow
def test_the_code_draws_states_and_flags(series: Database, tmp_path: Path) -> None:
    price, score = draw(tmp_path)
    made = (tmp_path / PICTURE.name).read_bytes()
    assert made.startswith(b"\x89PNG")
    signals = frames.signals("SOL", "1m", "2026-09-01T05:30", "2026-09-02T04:30")
    spells = signals.groupby((signals["state"] != signals["state"].shift()).cumsum()).size()
    assert len(price.patches) == len(spells) > 6
    assert len(price.texts) == (spells > 30).sum() > 3
    labels = {str(artist.get_label()) for artist in price.collections}
    flags = set(signals.select_dtypes("bool").columns) - {"reclaimed_ema333"}
    assert {label for label in labels if label in flags} == {flag for flag in flags if signals[flag].any()}
    assert labels >= {"buy_signal", "buy_flag", "trim_flag", "emergency_exit", "exit_position"}
    assert [len(line.get_xdata()) for line in score.lines] == [len(signals)] * 2
    assert PICTURE.read_bytes().startswith(b"\x89PNG")


def test_every_function_is_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [name for name in frames.__all__ if f"`frames.{name}(" not in page] == []
    assert START < END
