"""Closes the SDK's connections, which it leaves open: Python would report them as errors of later tests."""

from collections.abc import Iterator

import pytest
import requests


@pytest.fixture(autouse=True)
def _closed_sessions(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    opened: list[requests.Session] = []
    original = requests.Session.__init__

    def open_and_record(session: requests.Session) -> None:
        original(session)
        opened.append(session)

    monkeypatch.setattr(requests.Session, "__init__", open_and_record)
    yield
    for session in opened:
        session.close()
