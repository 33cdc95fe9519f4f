"""Ports on this machine: chosen once and kept, so that addresses stay the same."""

import json
import random
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from strandline.cli.up.state_file import write_state
from strandline.model.errors import StrandlineError
from strandline.settings import Settings

# Below the ports that systems give to outgoing connections, which could have taken a kept one meanwhile.
_LOWEST: Final = 20_000
_HIGHEST: Final = 29_999
_AIRFLOW: Final = "airflow"


def choose_ports(file: Path, settings: Settings, names: Iterable[str]) -> Mapping[str, int]:
    """A free port for each name, and for `airflow`; the kept ones as long as nobody else has taken them."""
    before = _read(file)
    chosen: dict[str, int] = {}
    for name in names:
        chosen[name] = _first_free([before.get(name, 0)], chosen.values())
    chosen[_AIRFLOW] = _airflow_port(settings, before.get(_AIRFLOW, 0), chosen.values())
    write_state(file, before | chosen)
    return chosen


def _airflow_port(settings: Settings, before: int, taken: Iterable[int]) -> int:
    """The one that the person set, or nothing; unset, the usual one as long as it is free."""
    wanted = settings.airflow_port
    if "airflow_port" not in settings.given:
        return _first_free([wanted, before], taken)
    if not _is_free(wanted):
        problem = f"port {wanted}, which STRANDLINE_AIRFLOW_PORT names, is in use"
        raise StrandlineError(problem, "end what listens there, or remove the setting: a free port is chosen then")
    return wanted


def _first_free(preferred: Iterable[int], taken: Iterable[int]) -> int:
    candidates = [*preferred, *random.sample(range(_LOWEST, _HIGHEST + 1), k=100)]
    for port in candidates:
        if port and port not in taken and _is_free(port):
            return port
    raise StrandlineError("a hundred ports were tried and all are in use", "end what listens on them")


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        # As servers do; a connection that has just been closed does not keep its port busy.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
            listener.listen()
        except OSError:
            return False
    return True


def _read(file: Path) -> dict[str, int]:
    try:
        return dict(json.loads(file.read_text()))
    except FileNotFoundError:
        return {}
