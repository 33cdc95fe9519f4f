"""Checks which sidecars run."""

from collections import defaultdict
from typing import Final

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from strandline.cli.doctor.check import Check, fine, skipped, warned
from strandline.feeds.heartbeat import PROCESS, SILENCE
from strandline.feeds.shard import Shard
from strandline.settings import Settings
from strandline.store.connect import connect, database_url
from strandline.store.roles import Role

_LIVE: Final = text("""
    SELECT shard, replica FROM heartbeats WHERE process = :process AND beat_at >= clock_timestamp() - :silence
    ORDER BY shard, replica
""")


def sidecars(settings: Settings) -> Check:
    """Check that the shards that live are all parts of one whole."""
    engine = connect(database_url(settings, Role.UI), Role.UI)
    try:
        with engine.connect() as connection:
            rows = connection.execute(_LIVE, {"process": PROCESS, "silence": SILENCE}).all()
    except SQLAlchemyError:
        return skipped("sidecars", "their heartbeats are in the database, which cannot be read yet")
    finally:
        engine.dispose()
    replicas: dict[Shard, list[str]] = defaultdict(list)
    for row in rows:
        replicas[Shard.parse(row.shard)].append(row.replica)
    if not replicas:
        return skipped("sidecars", "none runs, so no market data are written; strandline up or strandline ingest does")
    return _compared(replicas)


def _compared(replicas: dict[Shard, list[str]]) -> Check:
    found = ", ".join(f"{shard} ({', '.join(names)})" for shard, names in replicas.items())
    counts = sorted({shard.count for shard in replicas})
    if len(counts) > 1:
        return warned("sidecars", found, f"they split the instruments in {' and in '.join(map(str, counts))}: end some")
    missing = [str(shard) for index in range(counts[0]) if (shard := Shard(index, counts[0])) not in replicas]
    if missing:
        return warned(
            "sidecars", found, f"a part of the instruments is not streamed; run: strandline ingest --shard {missing[0]}"
        )
    return fine("sidecars", f"{found}, the whole")
