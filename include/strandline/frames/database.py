"""Queries as the read-only role, and their rows as frames."""

from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import Any, Final

import pandas as pd  # type: ignore[import-untyped]
from sqlalchemy import Engine, text

from strandline.configuration import load_settings
from strandline.store.connect import connect, database_url, in_words
from strandline.store.roles import Role
from strandline.store.timeouts import Timeouts

_TIMEOUTS: Final = Timeouts(
    lock=timedelta(seconds=2), statement=timedelta(minutes=2), idle_in_transaction=timedelta(seconds=15)
)
"""A person may wait longer than a page does, but not for anybody's lock."""


def query(sql: str, **values: object) -> pd.DataFrame:
    """The rows of any query; `:name` stands for a value. What the columns are is left to pandas."""
    names, rows = fetch(sql, values)
    return pd.DataFrame.from_records(rows, columns=names)


def fetch(sql: str, values: Mapping[str, object]) -> tuple[list[str], list[Any]]:
    """The names of the columns, and the rows. Each query is a transaction of its own, so that nobody waits for a
    notebook.
    """
    settings = load_settings()
    with (
        in_words(settings),
        _engine(database_url(settings, Role.UI).render_as_string(hide_password=False)).begin() as it,
    ):
        result = it.execute(text(sql), values)
        return list(result.keys()), list(result)


@cache
def _engine(url: str) -> Engine:
    from sqlalchemy import make_url

    engine = connect(make_url(url), Role.UI, pool_size=1, timeouts=_TIMEOUTS)
    return engine.execution_options(postgresql_readonly=True)
