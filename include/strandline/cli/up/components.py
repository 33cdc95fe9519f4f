"""What the system is made of besides Postgres and the venues: each program's command, environment and health."""

from collections.abc import Callable, Mapping
from typing import Final

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from strandline.cli.airflow.client import AirflowClient
from strandline.cli.up.postgres import POSTGRES
from strandline.cli.up.program import AIRFLOW, STRANDLINE, Program
from strandline.cli.up.simulation import private_variables

API_SERVER: Final = "api-server"
_LONGEST_SILENCE: Final = 20.0
_HEARTBEAT_AGE: Final = text("SELECT extract(epoch FROM clock_timestamp() - max(beat_at)) FROM heartbeats")


def sidecar(environment: Mapping[str, str], database: Engine) -> Program:
    """What streams the venues' trades into the database."""

    def has_heartbeat(uptime: float) -> bool:
        """Whether it has written one lately, and since it was started; the database's clock is compared with itself."""
        try:
            with database.connect() as connection:
                age = connection.scalar(_HEARTBEAT_AGE)
        except SQLAlchemyError:
            return False
        return age is not None and float(age) < min(uptime, _LONGEST_SILENCE)

    return Program(
        "sidecar", [*STRANDLINE, "ingest"], has_heartbeat, environment, private_variables(), checked_through=[POSTGRES]
    )


def airflow_programs(environment: Mapping[str, str], client: AirflowClient) -> list[Program]:
    """What Airflow needs besides its scheduler; the api-server is the first."""
    checks: Mapping[str, Callable[[float], bool]] = {
        API_SERVER: lambda _: client.is_healthy(),
        "dag-processor": lambda uptime: client.has_heartbeat("dag_processor", uptime),
        "triggerer": lambda uptime: client.has_heartbeat("triggerer", uptime),
    }
    return [
        Program(
            name,
            _command(name),
            is_healthy,
            environment,
            private_variables(),
            checked_through=[POSTGRES] if name == API_SERVER else [POSTGRES, API_SERVER],
        )
        for name, is_healthy in checks.items()
    ]


def scheduler(environment: Mapping[str, str], client: AirflowClient) -> Program:
    """The scheduler, whose tasks trade: it alone is given keys."""

    def works(uptime: float) -> bool:
        return client.has_heartbeat("scheduler", uptime) and client.workers_take_tasks(uptime)

    return Program("scheduler", _command("scheduler"), works, environment, checked_through=[POSTGRES, API_SERVER])


def _command(name: str) -> list[str]:
    # Airflow would serve their logs to all the world; here everybody reads the files.
    logs = ["--skip-serve-logs"] if name in {"triggerer", "scheduler"} else []
    return [*AIRFLOW, name, *logs]
