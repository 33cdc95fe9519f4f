"""At most one `up` per home."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from strandline.model.errors import StrandlineError


@contextmanager
def only_one(file: Path) -> Iterator[None]:
    """Hold the file's lock, which ends with this process however it ends; the number in it is only for people."""
    with file.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            problem = f"strandline up runs here already (pid {holder}, {file.parent.parent})"
            raise StrandlineError(problem, "end that one with Ctrl-C, or use another STRANDLINE_HOME") from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
