"""Runs the code of docs/notebooks.md. `python -m tests.docs.notebook_picture` makes the page's picture."""

import contextlib
import os
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from sqlalchemy import make_url

from strandline.store.migrate import migrate
from strandline.store.postgres.server import EmbeddedPostgres
from tests.conftest import Database
from tests.frames.series import insert_series, step_series

ROOT: Final = Path(__file__).parents[2]
PICTURE: Final = ROOT / "docs" / "images" / "series.png"


def draw(folder: Path) -> tuple[Any, Any]:
    """Run the code in this folder; returns what it has drawn on."""
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    mpl.use("Agg")
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "notebooks.md").read_text("utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    with contextlib.chdir(folder):
        exec(compile(code, "docs/notebooks.md", "exec"), names)
    plt.close("all")
    return names["price"], names["score"]


def _make() -> None:
    """Make the picture from a series in a database that exists for it alone."""
    with TemporaryDirectory() as folder:
        postgres = EmbeddedPostgres(Path(folder) / "postgres")
        postgres.start()
        try:
            database = Database(make_url(postgres.url()))
            migrate(database.admin)
            with database.session() as connection:
                insert_series(connection)
            step_series(database)
            os.environ["STRANDLINE_DATABASE_URL"] = postgres.url()
            draw(PICTURE.parent)
        finally:
            postgres.stop()


if __name__ == "__main__":
    _make()
