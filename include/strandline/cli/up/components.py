"""What the system is made of: each program's command and environment, and how one sees that it works."""

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import Engine

from strandline.cli.up import sidecar
from strandline.cli.up.accounts import PRIVATE_VARIABLES, Accounts
from strandline.cli.up.airflow_api import AirflowApi
from strandline.cli.up.component import Ready
from strandline.cli.up.program import AIRFLOW, STRANDLINE, Program
from strandline.cli.up.venues import SimulatedVenues

VENUES: Final = "venues"
SIDECAR: Final = "sidecar"
API_SERVER: Final = "api-server"
SCHEDULER: Final = "scheduler"
DAG_PROCESSOR: Final = "dag-processor"
TRIGGERER: Final = "triggerer"
_AIRFLOW: Final = {
    API_SERVER: ("api-server",),
    # Airflow would serve their logs to all the world; here everybody reads the files.
    SCHEDULER: ("scheduler", "--skip-serve-logs"),
    DAG_PROCESSOR: ("dag-processor",),
    TRIGGERER: ("triggerer", "--skip-serve-logs"),
}


def groups(
    common: Mapping[str, str], airflow: Mapping[str, str], accounts: Accounts | None, market: Program | None
) -> dict[str, Sequence[Program]]:
    """The last one ends first: the scheduler's tasks need all the others. Only it, whose tasks trade, is given keys."""
    programs = [_airflow(name, {**airflow, **common}, accounts) for name in _AIRFLOW]
    own_sidecar = Program(SIDECAR, [*STRANDLINE, "ingest"], common, without=PRIVATE_VARIABLES)
    return {
        **({} if market is None else {VENUES: [market]}),
        SIDECAR: [own_sidecar],
        "airflow": [program for program in programs if program.name != SCHEDULER],
        SCHEDULER: [program for program in programs if program.name == SCHEDULER],
    }


def readiness(api: AirflowApi, database: Engine, venues: SimulatedVenues | None) -> dict[str, Ready]:
    """By component, in the order of the groups."""
    return {
        **({} if venues is None else {VENUES: lambda pid, _: venues.ready(pid)}),
        SIDECAR: lambda _, uptime: sidecar.beats(database, uptime),
        API_SERVER: lambda _, __: api.answers(),
        SCHEDULER: lambda _, uptime: api.beats("scheduler", uptime),
        DAG_PROCESSOR: lambda _, uptime: api.beats("dag_processor", uptime),
        TRIGGERER: lambda _, uptime: api.beats("triggerer", uptime),
    }


def _airflow(name: str, environment: Mapping[str, str], accounts: Accounts | None) -> Program:
    command = [*AIRFLOW, *_AIRFLOW[name]]
    if name != SCHEDULER:
        return Program(name, command, environment, without=PRIVATE_VARIABLES)
    return Program(name, command, {**environment, **(accounts.private if accounts else {})})
