"""How Airflow is configured: every option that is not Airflow's own default, and why."""

import secrets
from collections.abc import Mapping
from configparser import ConfigParser
from pathlib import Path
from typing import Final

from strandline.cli.doctor.airflow import CHECKOUT, variable
from strandline.cli.up.loopback import HOST
from strandline.cli.up.paths import Paths
from strandline.cli.up.state_file import read_or_make, write_state
from strandline.model.errors import StrandlineError

USER: Final = "admin"

_LOCAL_SETTINGS: Final = '''\
"""Written by `strandline up`: the scheduler loads, once, what the tasks need that it forks."""

import sys

if sys.argv[1:2] == ["scheduler"]:
    from strandline.cycle.preload import preload

    preload()
'''


def airflow_environment(paths: Paths, database: str, port: int) -> dict[str, str]:
    """What each of Airflow's processes gets; `database` is the URL of Airflow's own."""
    own = airflow_secrets(paths)
    options: Mapping[tuple[str, str], object] = {
        ("core", "executor"): "LocalExecutor",
        # Each is a process that waits with everything loaded; a cycle never has more tasks at once.
        ("core", "parallelism"): 4,
        # Workers share by fork what the scheduler has loaded; other ways load it again for each task.
        ("core", "mp_start_method"): "fork",
        ("core", "load_examples"): False,
        ("core", "dags_folder"): CHECKOUT / "dags",
        ("core", "plugins_folder"): CHECKOUT / "plugins",
        ("core", "dags_are_paused_at_creation"): False,
        ("core", "fernet_key"): own["fernet_key"],
        ("core", "execution_api_server_url"): f"http://{HOST}:{port}/execution/",
        ("core", "default_task_retry_delay"): 5,
        # The default asks the name service.
        ("core", "hostname_callable"): "socket.gethostname",
        ("core", "simple_auth_manager_users"): f"{USER}:admin",
        ("core", "simple_auth_manager_passwords_file"): _passwords_file(paths),
        ("database", "sql_alchemy_conn"): database,
        ("scheduler", "task_instance_heartbeat_timeout"): 90,
        ("scheduler", "orphaned_tasks_check_interval"): 30,
        ("scheduler", "task_queued_timeout"): 60,
        ("scheduler", "task_queued_timeout_check_interval"): 15,
        ("dag_processor", "parsing_processes"): 1,
        ("dag_processor", "min_file_process_interval"): 120,
        ("dag_processor", "refresh_interval"): 30,
        ("triggerer", "capacity"): 20,
        ("api", "host"): HOST,
        ("api", "port"): port,
        ("api", "base_url"): f"http://localhost:{port}",
        ("api", "workers"): 1,
        ("api", "secret_key"): own["secret_key"],
        ("api_auth", "jwt_secret"): own["jwt_secret"],
        ("logging", "base_log_folder"): paths.logs / "tasks",
        ("logging", "dag_processor_child_process_log_directory"): paths.logs / "dags",
        ("logging", "colored_console_log"): False,
    }
    return {
        "AIRFLOW_HOME": str(paths.airflow),
        **{variable(*name): str(value) for name, value in options.items()},
        "GX_ANALYTICS_ENABLED": "false",
        "PYTHONUNBUFFERED": "1",
    }


def write_airflow_home(paths: Paths, environment: Mapping[str, str]) -> None:
    """What Airflow reads from files; airflow.cfg says the same, so that `airflow` needs only AIRFLOW_HOME."""
    if not (CHECKOUT / "dags").is_dir():
        problem = (
            f"there is no folder of DAGs at {CHECKOUT / 'dags'}: this Strandline was not installed from a checkout"
        )
        raise StrandlineError(problem, "run `make setup` in a checkout, and strandline up from there")
    (paths.airflow / "config" / "airflow_local_settings.py").write_text(_LOCAL_SETTINGS)
    write_state(_passwords_file(paths), {USER: airflow_secrets(paths)["password"]})
    parser = ConfigParser(interpolation=None)
    for name, value in environment.items():
        if name.startswith("AIRFLOW__"):
            _, section, option = name.lower().split("__", 2)
            # Airflow reads % as its own.
            parser.read_dict({section: {option: value.replace("%", "%%")}})
    file = paths.airflow / "airflow.cfg"
    file.touch(mode=0o600)
    with file.open("w") as stream:
        stream.write("# Written by `strandline up` at every start: changes are lost.\n")
        parser.write(stream)


def airflow_secrets(paths: Paths) -> dict[str, str]:
    """Keys and the password, made once."""
    return read_or_make(paths.state / "airflow.json", _make)


def _make() -> dict[str, str]:
    from cryptography.fernet import Fernet

    return {
        "jwt_secret": secrets.token_hex(64),
        "secret_key": secrets.token_hex(32),
        "fernet_key": Fernet.generate_key().decode(),
        "password": secrets.token_urlsafe(12),
    }


def _passwords_file(paths: Paths) -> Path:
    return paths.airflow / "passwords.json"
