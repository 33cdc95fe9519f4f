"""`strandline ingest`: streams market data into the database."""

from typing import TYPE_CHECKING, Annotated

import typer

from strandline.model.errors import StrandlineError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from strandline.feeds.shard import SidecarName
    from strandline.settings import Settings
    from strandline.venues.feed import Feed, Sink
    from strandline.venues.history import History


def ingest(
    shard: Annotated[
        str, typer.Option(metavar="i/n", help="Stream one of n parts of the instruments; 0/2 and 1/2 are all of them.")
    ] = "0/1",
    replica: Annotated[
        str, typer.Option(metavar="NAME", help="Tells sidecars that stream the same instruments from one another.")
    ] = "a",
    metrics_port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Serve metrics to Prometheus on this port of this machine."),
    ] = None,
) -> None:
    """Stream trades and prices into the database until SIGTERM or Ctrl-C, then write what was received.

    It streams the tokens that each venue always needs and those of every row that is not archived; a row that is added
    is streamed at once. A venue or a database that is away is waited for.
    """
    import asyncio
    import logging

    from strandline.configuration import load_settings
    from strandline.feeds.heartbeat import ReplacedError

    name = _name(shard, replica)
    settings = load_settings()
    logging.basicConfig(level=settings.log_level.value, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("websockets").setLevel(logging.WARNING)
    try:
        unwritten = asyncio.run(_stream(settings, name, metrics_port or settings.metrics_port))
    except BaseExceptionGroup as group:
        if group.subgroup(ReplacedError) is None:
            raise
        raise StrandlineError(
            f"another sidecar was started as replica {name.replica} of shard {name.shard}, and took over from this one",
            "give one of them another --replica",
        ) from None
    if unwritten:
        raise StrandlineError(
            f"{unwritten} ticks could not be written because the database was down",
            "start the database, then the sidecar",
        )


def _name(shard: str, replica: str) -> "SidecarName":
    from strandline.feeds.shard import MOST_SHARDS, Shard, SidecarName

    try:
        part = Shard.parse(shard)
    except ValueError:
        raise StrandlineError(
            f"{shard} is not a shard", f"give i/n, such as 0/2, with i below n and n up to {MOST_SHARDS}"
        ) from None
    if not replica.isidentifier() or len(replica) > 20:
        raise StrandlineError(f"{replica!r} is no name for a replica", "use up to 20 letters and digits, such as b")
    return SidecarName(part, replica)


async def _stream(settings: "Settings", name: "SidecarName", metrics_port: int | None) -> int:
    """Run feeds, writer and initial backfills until a signal; return how many ticks could not be written."""
    import asyncio
    import signal
    from contextlib import AsyncExitStack
    from datetime import UTC, datetime
    from functools import partial

    from strandline.feeds.metrics import metrics_server
    from strandline.feeds.sidecar import Sidecar
    from strandline.feeds.spool import Spool
    from strandline.feeds.tick_buffer import TickBuffer
    from strandline.history.candle_comparison import CandleComparison
    from strandline.history.initial_backfill import InitialBackfill
    from strandline.history.outage_repair import OutageRepair
    from strandline.store.address import database_address
    from strandline.store.connect_async import connect_async
    from strandline.store.roles import Role

    clock = partial(datetime.now, UTC)
    buffer = TickBuffer(clock)
    feeds, histories = _venue_clients(settings, buffer, clock, name.shard.count)
    open_connection = partial(connect_async, database_address(settings, Role.INGEST), Role.INGEST)
    backfill = InitialBackfill(open_connection, histories, clock)
    repair = OutageRepair(open_connection, histories, clock, name.shard.owns)
    comparison = CandleComparison(open_connection, histories, clock)

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    spool = Spool(settings.home / "spool" / f"{name.shard}{name.replica}".replace("/", "-"))
    sidecar = Sidecar(open_connection, buffer, feeds, clock, backfill.add, name, spool)
    async with AsyncExitStack() as stack:
        if metrics_port is not None:
            try:
                await stack.enter_async_context(metrics_server(metrics_port, sidecar.metrics))
            except OSError as error:
                raise StrandlineError(
                    f"metrics cannot be served on port {metrics_port} ({error.strerror})",
                    "choose another: --metrics-port",
                ) from None
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        loads = [tasks.create_task(one.run()) for one in (backfill, repair, comparison)]
        unwritten = await sidecar.run(stop)
        for load in loads:
            load.cancel()
    return unwritten


def _venue_clients(
    settings: "Settings", sink: "Sink", clock: "Callable[[], datetime]", processes: int = 1
) -> "tuple[list[Feed], list[History]]":
    """The feed and the history of every venue, on or off, that has the network of this mode."""
    from dataclasses import replace

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
        config = replace(venue_config(settings, venue.settings, limits, clock), processes=processes)
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
