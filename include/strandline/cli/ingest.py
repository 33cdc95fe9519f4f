"""`strandline ingest`: streams market data into the database."""

from typing import TYPE_CHECKING

from strandline.model.errors import StrandlineError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from strandline.settings import Settings
    from strandline.venues.feed import Feed, Sink
    from strandline.venues.history import History


def ingest() -> None:
    """Stream trades and prices into the database until SIGTERM or Ctrl-C, then write what was received.

    It streams the tokens that each venue always needs and those of every row that is not archived; a row that is added
    is streamed at once. A venue or a database that is away is waited for.
    """
    import asyncio
    import logging

    from strandline.configuration import load_settings

    settings = load_settings()
    logging.basicConfig(level=settings.log_level.value, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("websockets").setLevel(logging.WARNING)
    unwritten = asyncio.run(_stream(settings))
    if unwritten:
        raise StrandlineError(
            f"{unwritten} ticks could not be written because the database was down",
            "start the database, then the sidecar",
        )


async def _stream(settings: "Settings") -> int:
    """Run feeds, writer and initial backfills until a signal; return how many ticks could not be written."""
    import asyncio
    import signal
    from datetime import UTC, datetime
    from functools import partial

    from strandline.feeds.sidecar import Sidecar
    from strandline.feeds.tick_buffer import TickBuffer
    from strandline.history.candle_comparison import CandleComparison
    from strandline.history.initial_backfill import InitialBackfill
    from strandline.history.outage_repair import OutageRepair
    from strandline.store.address import database_address
    from strandline.store.connect_async import connect_async
    from strandline.store.roles import Role

    clock = partial(datetime.now, UTC)
    buffer = TickBuffer(clock)
    feeds, histories = _venue_clients(settings, buffer, clock)
    open_connection = partial(connect_async, database_address(settings, Role.INGEST), Role.INGEST)
    backfill = InitialBackfill(open_connection, histories, clock)
    repair = OutageRepair(open_connection, histories, clock)
    comparison = CandleComparison(open_connection, histories, clock)

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with asyncio.TaskGroup() as tasks:
        loads = [tasks.create_task(one.run()) for one in (backfill, repair, comparison)]
        unwritten = await Sidecar(open_connection, buffer, feeds, clock, backfill.add).run(stop)
        for load in loads:
            load.cancel()
    return unwritten


def _venue_clients(
    settings: "Settings", sink: "Sink", clock: "Callable[[], datetime]"
) -> "tuple[list[Feed], list[History]]":
    """The feed and the history of every venue, on or off, that has the network of this mode."""
    from strandline.configuration import venue_config
    from strandline.settings import Mode
    from strandline.strategy import load_strategy
    from strandline.venues.config import MissingSettingError
    from strandline.venues.registry import venues

    limits = load_strategy(settings).execution
    feeds: list[Feed] = []
    histories: list[History] = []
    missing = []
    for venue in venues():
        if settings.mode is Mode.TESTNET and not venue.has_testnet:
            continue
        config = venue_config(settings, venue.settings, limits, clock)
        try:
            feeds.append(venue.feed(config, sink))
            histories += [venue.history(config)] if venue.history else []
        except MissingSettingError as error:
            missing.append(error.variable)
    if missing:
        raise StrandlineError(
            f"in {settings.mode} the addresses of the venues have no default",
            f"set {' and '.join(missing)} to what strandline sim prints, or start everything with strandline up",
        )
    return feeds, histories
