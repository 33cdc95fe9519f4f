"""Ports on this machine: chosen once and kept, so that addresses stay the same."""

import json
import random
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from strandline.cli.up.loopback import HOST
from strandline.cli.up.state_file import write_state
from strandline.model.errors import StrandlineError
from strandline.settings import Settings

# Below the ports that systems give to outgoing connections, which could have taken a kept one meanwhile.
_LOWEST: Final = 20_000
_HIGHEST: Final = 29_999
_AIRFLOW: Final = "airflow"


@contextmanager
def reserved_ports(file: Path, settings: Settings, names: Iterable[str]) -> Iterator[Mapping[str, int]]:
    """Reserve a free port for each name and for `airflow`: the same as before, unless another program has taken it.

    During the block no other `up` on this machine chooses them, although programs begin to listen only later.
    """
    before = _read(file)
    with ExitStack() as reservations:
        chosen = {name: _first_free(reservations, [before.get(name, 0)]) for name in names}
        chosen[_AIRFLOW] = _airflow_port(reservations, settings, before.get(_AIRFLOW, 0))
        write_state(file, before | chosen)
        yield chosen


def _airflow_port(reservations: ExitStack, settings: Settings, before: int) -> int:
    """The port that the settings name, or an error; without one, the default as long as it is free."""
    wanted = settings.airflow_port
    if "airflow_port" not in settings.given:
        return _first_free(reservations, [wanted, before])
    if not _reserve(reservations, wanted):
        problem = f"port {wanted}, which STRANDLINE_AIRFLOW_PORT names, is in use"
        raise StrandlineError(problem, "end what listens there, or remove the setting: a free port is chosen then")
    return wanted


def _first_free(reservations: ExitStack, preferred: Iterable[int]) -> int:
    for port in [*preferred, *random.sample(range(_LOWEST, _HIGHEST + 1), k=100)]:
        if port and _reserve(reservations, port):
            return port
    raise StrandlineError("a hundred ports were tried and all are in use", "end what listens on them")


def _reserve(reservations: ExitStack, port: int) -> bool:
    """Reserve a port if nobody listens on it and nobody else has reserved it.

    A UDP socket on the same number is the reservation: the programs, which listen on TCP, are not in its way.
    """
    with socket.socket() as listener:
        # As servers do; a connection that has just been closed does not keep its port busy.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reservation = socket.socket(type=socket.SOCK_DGRAM)
        try:
            reservation.bind((HOST, port))
            listener.bind((HOST, port))
            listener.listen()
        except OSError:
            reservation.close()
            return False
    reservations.enter_context(reservation)
    return True


def _read(file: Path) -> dict[str, int]:
    try:
        return dict(json.loads(file.read_text()))
    except FileNotFoundError:
        return {}
