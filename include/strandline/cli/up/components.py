"""What the system is made of: each program's command and environment, and the check that it works."""

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import Engine

from strandline.cli.airflow.client import AirflowClient
from strandline.cli.up import sidecar
from strandline.cli.up.accounts import Accounts, private_variables
from strandline.cli.up.program import AIRFLOW, STRANDLINE, IsHealthy, Program

VENUES: Final = "venues"
SIDECAR: Final = "sidecar"
API_SERVER: Final = "api-server"
SCHEDULER: Final = "scheduler"
DAG_PROCESSOR: Final = "dag-processor"
TRIGGERER: Final = "triggerer"
_AIRFLOW_ARGUMENTS: Final = {
    API_SERVER: ("api-server",),
    DAG_PROCESSOR: ("dag-processor",),
    # Airflow would serve their logs to all the world; here everybody reads the files.
    TRIGGERER: ("triggerer", "--skip-serve-logs"),
    SCHEDULER: ("scheduler", "--skip-serve-logs"),
}


def program_groups(
    common: Mapping[str, str],
    airflow: Mapping[str, str],
    accounts: Accounts | None,
    venues: Program | None,
    client: AirflowClient,
    database: Engine,
) -> Sequence[Sequence[Program]]:
    """Return the programs; the last group ends first: the scheduler's tasks need all the others.

    Only the scheduler, whose tasks trade, is given keys.
    """
    checks: dict[str, IsHealthy] = {
        API_SERVER: lambda _, __: client.is_healthy(),
        DAG_PROCESSOR: lambda _, uptime: client.has_heartbeat("dag_processor", uptime),
        TRIGGERER: lambda _, uptime: client.has_heartbeat("triggerer", uptime),
    }
    private = accounts.private if accounts else {}
    return [
        [] if venues is None else [venues],
        [
            Program(
                SIDECAR,
                [*STRANDLINE, "ingest"],
                lambda _, uptime: sidecar.has_heartbeat(database, uptime),
                common,
                without=private_variables(),
            )
        ],
        [
            Program(name, _command(name), is_healthy, {**airflow, **common}, without=private_variables())
            for name, is_healthy in checks.items()
        ],
        [
            Program(
                SCHEDULER,
                _command(SCHEDULER),
                lambda _, uptime: client.has_heartbeat("scheduler", uptime),
                {**airflow, **common, **private},
            )
        ],
    ]


def _command(name: str) -> Sequence[str]:
    return [*AIRFLOW, *_AIRFLOW_ARGUMENTS[name]]
