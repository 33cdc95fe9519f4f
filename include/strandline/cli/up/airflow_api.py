"""Airflow's REST API: is it well, and make its pools."""

import time
from datetime import datetime
from typing import Any, Final

from strandline.cli.up.loopback import ask
from strandline.model.errors import StrandlineError

_LONGEST_SILENCE: Final = 30.0
_ANSWER_IS_GOOD_FOR: Final = 0.2
_CREATED: Final = 201
_EXISTS: Final = 409


class AirflowApi:
    """Of one api-server."""

    def __init__(self, port: int, user: str, password: str) -> None:
        self._port = port
        self._login = {"username": user, "password": password}
        self._health: dict[str, Any] | None = None
        self._asked = 0.0

    def answers(self) -> bool:
        """It does, and reaches its database."""
        health = self._ask_health()
        return health is not None and health["metadatabase"]["status"] == "healthy"

    def beats(self, component: str, uptime: float) -> bool:
        """The component has shown life lately, and since it was started: an earlier life does not count."""
        told = (self._ask_health() or {}).get(component, {}).get(f"latest_{component}_heartbeat")
        return told is not None and time.time() - datetime.fromisoformat(told).timestamp() < min(
            uptime, _LONGEST_SILENCE
        )

    def ensure_pool(self, name: str, description: str) -> None:
        """Create a pool of two slots: a frozen task in one does not keep the next cycle from its venue.

        A pool that exists keeps the slots that a person gave it.
        """
        body = {"name": name, "slots": 2, "description": description}
        status, answer = ask(self._port, "POST", "/api/v2/pools", body, token=self._token())
        if status not in {_CREATED, _EXISTS}:
            raise StrandlineError(f"Airflow did not make the pool {name}: {answer}", "see the log of the api-server")

    def _token(self) -> str:
        status, answer = ask(self._port, "POST", "/auth/token", self._login)
        if status != _CREATED:
            raise StrandlineError(f"Airflow refused the login: {answer}", "see the log of the api-server")
        return str(answer["access_token"])

    def _ask_health(self) -> dict[str, Any] | None:
        if time.monotonic() - self._asked > _ANSWER_IS_GOOD_FOR:
            try:
                status, answer = ask(self._port, "GET", "/api/v2/monitor/health")
                self._health = answer if status == 200 else None
            except OSError:
                self._health = None
            self._asked = time.monotonic()
        return self._health
