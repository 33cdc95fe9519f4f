"""The official SDK never closes its connections, which Python tells as an error in whichever test runs next."""

from collections.abc import Iterator

import pytest
import requests


@pytest.fixture(autouse=True)
def _closed_sessions(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    opened: list[requests.Session] = []
    begin = requests.Session.__init__

    def begin_and_remember(session: requests.Session) -> None:
        begin(session)
        opened.append(session)

    monkeypatch.setattr(requests.Session, "__init__", begin_and_remember)
    yield
    for session in opened:
        session.close()
