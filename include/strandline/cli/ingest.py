"""`strandline ingest`: the sidecar."""

from typing import TYPE_CHECKING

from strandline.model.errors import StrandlineError

if TYPE_CHECKING:
    from strandline.settings import Settings
    from strandline.venues.feed import Feed


def ingest() -> None:
    """Stream trades and prices into the database, until SIGTERM or Ctrl-C; then what was heard is written down.

    It watches the majors and every row that is not archived; a row that is added is streamed at once. A venue or a
    database that is away is waited for.
    """
    import asyncio
    import logging

    from strandline.settings import load_settings

    settings = load_settings()
    logging.basicConfig(level=settings.log_level.value, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("websockets").setLevel(logging.WARNING)
    unwritten = asyncio.run(_stream(settings))
    if unwritten:
        raise StrandlineError(
            f"{unwritten} ticks could not be written because the database was away",
            "start it, and the sidecar again",
        )


async def _stream(settings: "Settings") -> int:
    """Feeds, pump and history side by side, until somebody ends it."""
    import asyncio
    import signal
    from datetime import UTC, datetime
    from functools import partial

    from strandline.feeds.sidecar import Sidecar
    from strandline.feeds.tick_buffer import TickBuffer
    from strandline.history.initial_backfill import InitialBackfill
    from strandline.store.connect import database_url
    from strandline.store.connect_async import connect_async
    from strandline.store.roles import Role
    from strandline.venues.hyperliquid.feed import HyperliquidFeed
    from strandline.venues.hyperliquid.history import HyperliquidHistory
    from strandline.venues.solana.feed import JupiterFeed

    clock = partial(datetime.now, UTC)
    buffer = TickBuffer()
    hyperliquid, jupiter = _endpoints(settings)
    feeds: list[Feed] = [HyperliquidFeed(hyperliquid, buffer, clock)]
    if jupiter is not None:
        key = settings.jupiter_api_key
        feeds.append(JupiterFeed(jupiter, buffer, clock, key.get_secret_value() if key else None))
    open_connection = partial(connect_async, database_url(settings, Role.INGEST), Role.INGEST)
    newcomers = InitialBackfill(open_connection, HyperliquidHistory(hyperliquid), clock)

    end = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, end.set)
    async with asyncio.TaskGroup() as tasks:
        history = tasks.create_task(newcomers.run())
        unwritten = await Sidecar(open_connection, buffer, feeds, clock, newcomers.add).run(end)
        history.cancel()
    return unwritten


def _endpoints(settings: "Settings") -> tuple[str, str | None]:
    """Hyperliquid's and Jupiter's; the test network has no Jupiter."""
    from strandline.settings import Mode

    hyperliquid, jupiter = settings.hyperliquid_endpoint, settings.jupiter_endpoint
    missing = [name for name, url in (("HYPERLIQUID", hyperliquid), ("JUPITER", jupiter)) if url is None]
    if hyperliquid is None or (jupiter is None and settings.mode is Mode.SIM):
        variables = " and ".join(f"STRANDLINE_{name}_URL" for name in missing)
        raise StrandlineError(
            "in sim nobody says where the simulated venues are",
            f"set {variables} to what strandline sim prints, or start everything with strandline up",
        )
    return hyperliquid, jupiter
