"""`python -m tests.feeds.tape --trades 2000000 --coins 200 --seed 1 [--chaos]`: the long proofs, by hand.

Progress goes to standard error, a JSON summary to standard output; the exit code says whether everything held.
"""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

from strandline.store.migrate import migrate
from strandline.store.postgres.server import EmbeddedPostgres
from tests.feeds.tape.proof import Plan, Proof, database_of


def main() -> int:
    """Run one proof."""
    parser = argparse.ArgumentParser(prog="python -m tests.feeds.tape", description="A long proof of market data.")
    parser.add_argument("--trades", type=int, default=2_000_000)
    parser.add_argument("--coins", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=8_000, help="trades a second")
    parser.add_argument("--chaos", action="store_true", help="sockets drop, the sidecar is killed, Postgres restarts")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--restarts", type=int, default=2)
    parser.add_argument("--accidents", type=int, default=20, help="what happens to connections")
    parser.add_argument("--past", type=int, default=20, help="hours over which late trades lie; not in chaos")
    parser.add_argument("--archive", choices=("node_trades", "node_fills"), default="node_trades")
    parser.add_argument("--keep", type=Path, help="a folder to work in, which is kept")
    given = parser.parse_args()
    chaos = given.chaos
    plan = Plan(
        trades=given.trades,
        coins=given.coins,
        seed=given.seed,
        rate=given.rate,
        past_hours=0 if chaos else given.past,
        interruptions=0 if chaos else 3,
        accidents=given.accidents if chaos else 0,
        kills=given.kills if chaos else 0,
        restarts=given.restarts if chaos else 0,
        dataset=given.archive,
        wait_for_repair=chaos,
    )
    folder = given.keep or Path(tempfile.mkdtemp(prefix="strandline-tape-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with EmbeddedPostgres(folder / "postgres") as postgres:
            database = database_of(postgres)
            migrate(database.admin)
            summary = Proof(plan, database, folder, postgres).run()
    finally:
        if given.keep is None:
            shutil.rmtree(folder)
    print(json.dumps(summary, indent=2))
    return 1 if summary["faults"] or summary.get("archive", {}).get("faults") else 0


if __name__ == "__main__":
    sys.exit(main())
