"""Ports on this machine for the programs of one `up`."""

import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Final

from strandline.cli.up.loopback import HOST
from strandline.model.errors import StrandlineError
from strandline.settings import Settings

# Below the ports that systems give to outgoing connections.
_SIMULATOR: Final = range(20_000, 30_000)
_TRIED_FOR_AIRFLOW: Final = 1_000


@contextmanager
def reserved_ports(settings: Settings, names: Iterable[str]) -> Iterator[Mapping[str, int]]:
    """Reserve a free port for each name, and for `airflow`: always the lowest, so that they change rarely.

    During the block no other `up` on this machine chooses them, although programs begin to listen only later.
    """
    with ExitStack() as reservations:
        airflow = _airflow_port(reservations, settings)
        yield {"airflow": airflow, **{name: _first_free(reservations, _SIMULATOR) for name in names}}


def _airflow_port(reservations: ExitStack, settings: Settings) -> int:
    """The port that the settings name, or an error; without one, the default as long as it is free."""
    wanted = settings.airflow_port
    if "airflow_port" not in settings.given:
        return _first_free(reservations, range(wanted, wanted + _TRIED_FOR_AIRFLOW))
    if not _reserve(reservations, wanted):
        problem = f"port {wanted}, which STRANDLINE_AIRFLOW_PORT names, is in use"
        raise StrandlineError(problem, "end what listens there, or remove the setting: a free port is chosen then")
    return wanted


def _first_free(reservations: ExitStack, ports: range) -> int:
    for port in ports:
        if _reserve(reservations, port):
            return port
    raise StrandlineError(f"all ports from {ports[0]} to {ports[-1]} are in use", "end what listens on them")


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
