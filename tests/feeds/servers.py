"""Ends a database server in the middle of its work."""

import os
import signal
import time

from strandline.store.postgres.server import EmbeddedPostgres


def shut_down_at_once(postgres: EmbeddedPostgres) -> None:
    """End all sessions without a checkpoint, as after a crash."""
    assert postgres.pid is not None
    os.kill(postgres.pid, signal.SIGQUIT)
    while postgres.pid is not None:
        time.sleep(0.05)
