"""What the system is made of: each program's command and environment, and the check that it works."""

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import Engine

from strandline.cli.up import sidecar
from strandline.cli.up.accounts import Accounts, private_variables
from strandline.cli.up.airflow_client import AirflowClient
from strandline.cli.up.monitor import IsHealthy
from strandline.cli.up.program import AIRFLOW, STRANDLINE, Program
from strandline.cli.up.venues import SimulatedVenues

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
    common: Mapping[str, str], airflow: Mapping[str, str], accounts: Accounts | None, venues: Program | None
) -> Sequence[Sequence[Program]]:
    """The last one ends first: the scheduler's tasks need all the others. Only it, whose tasks trade, is given keys."""
    airflow_programs = {name: _airflow(name, {**airflow, **common}, accounts) for name in _AIRFLOW_ARGUMENTS}
    scheduler = airflow_programs.pop(SCHEDULER)
    return [
        [] if venues is None else [venues],
        [Program(SIDECAR, [*STRANDLINE, "ingest"], common, without=private_variables())],
        list(airflow_programs.values()),
        [scheduler],
    ]


def health_checks(airflow: AirflowClient, database: Engine, venues: SimulatedVenues | None) -> dict[str, IsHealthy]:
    """By component, in the order in which a person reads them."""
    return {
        **({} if venues is None else {VENUES: lambda pid, _: venues.is_ready(pid)}),
        SIDECAR: lambda _, uptime: sidecar.has_heartbeat(database, uptime),
        API_SERVER: lambda _, __: airflow.is_healthy(),
        SCHEDULER: lambda _, uptime: airflow.has_heartbeat("scheduler", uptime),
        DAG_PROCESSOR: lambda _, uptime: airflow.has_heartbeat("dag_processor", uptime),
        TRIGGERER: lambda _, uptime: airflow.has_heartbeat("triggerer", uptime),
    }


def _airflow(name: str, environment: Mapping[str, str], accounts: Accounts | None) -> Program:
    command = [*AIRFLOW, *_AIRFLOW_ARGUMENTS[name]]
    if name != SCHEDULER:
        return Program(name, command, environment, without=private_variables())
    return Program(name, command, {**environment, **(accounts.private if accounts else {})})
