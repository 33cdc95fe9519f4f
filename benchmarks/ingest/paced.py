"""How long a tick takes to be committed when they come evenly."""

import time
from bisect import bisect_left
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from sqlalchemy import text

from benchmarks.database import Server, session
from benchmarks.ingest.processes import VenueProcess, sidecar
from benchmarks.ingest.sides import now_ms, prepared, require
from benchmarks.ingest.trades import COINS

PACE: Final = 5_000
_SECONDS: Final = 10
_POLL_SECONDS: Final = 0.002
_NEWEST: Final = text("SELECT (extract(epoch FROM max(ts)) * 1000)::bigint FROM ticks")


def seconds_to_commit(postgres: Server, source: VenueProcess) -> list[float]:
    """The seconds from sending each frame to seeing it in the table, which is looked at every few milliseconds."""
    with (
        prepared(postgres) as url,
        sidecar(url, source.url, len(COINS)),
        session(url) as connection,
        ThreadPoolExecutor() as threads,
    ):
        pacing = threads.submit(source.ask, "pace", per_second=PACE, seconds=_SECONDS)
        looked_at: list[int] = []
        newest: list[int] = []
        while not pacing.done() or newest[-1] < pacing.result()[-1]:
            newest.append(connection.execute(_NEWEST).scalar_one() or 0)
            looked_at.append(now_ms())
            time.sleep(_POLL_SECONDS)
        require(url, PACE * _SECONDS)
    return [(looked_at[bisect_left(newest, sent)] - sent) / 1000 for sent in pacing.result()]
