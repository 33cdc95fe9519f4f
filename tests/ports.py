"""Ports for servers that a test starts."""

import os
import socket
from itertools import cycle
from typing import Final

# Above those that `strandline up` chooses, below those that systems give to outgoing connections. Tests run in several
# processes at once: each has a range of its own, so that none takes a port between another's look and its use.
_LOWEST: Final = 30_000
_PER_WORKER: Final = 300
_WORKER: Final = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 9
_candidates: Final = cycle(range(_LOWEST + _WORKER * _PER_WORKER, _LOWEST + (_WORKER + 1) * _PER_WORKER))


def free_port() -> int:
    """A port that nobody uses now."""
    for _ in range(_PER_WORKER):
        port = next(_candidates)
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")
