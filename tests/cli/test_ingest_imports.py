"""The sidecar is heard again soon after it was killed: what is slow to import is not imported first.

NumPy is needed for the first tick and takes a tenth of a second; compiled code comes when the coins are connected.
"""

import subprocess
import sys

_START = """
import sys
import strandline.cli.main
from strandline.configuration import load_settings
from strandline.feeds.sidecar import Sidecar
from strandline.history.initial_backfill import InitialBackfill
from strandline.store.address import database_address
from strandline.store.connect_async import connect_async
import strandline.venues.hyperliquid.feed, strandline.venues.hyperliquid.history, strandline.venues.solana.feed
print([name for name in ("sqlalchemy", "aiohttp", "numba", "requests") if name in sys.modules])
"""


def test_nothing_slow_is_imported_before_the_sockets_are_open() -> None:
    ended = subprocess.run([sys.executable, "-c", _START], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"
