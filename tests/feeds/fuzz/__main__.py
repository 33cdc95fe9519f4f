"""`python -m tests.feeds.fuzz --frames 100000 --seed 1`: progress on standard error, a JSON summary at the end."""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from strandline.store.migrate import migrate
from strandline.store.postgres.server import EmbeddedPostgres
from tests.feeds.fuzz.proof import FuzzProof
from tests.feeds.tape.proof import database_of


def main() -> int:
    """Run it; a failure is an exception."""
    parser = argparse.ArgumentParser(prog="python -m tests.feeds.fuzz", description="Fuzzed frames, all accounted for.")
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="strandline-fuzz-") as name,
        EmbeddedPostgres(Path(name) / "postgres") as postgres,
    ):
        database = database_of(postgres)
        migrate(database.admin)
        print(json.dumps(FuzzProof(given.frames, given.seed, database, Path(name)).run(), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
