"""The command that serves the simulated venues: `strandline sim`, or `python -m strandline_sim`."""

from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from strandline.model.errors import ConfigurationError, StrandlineError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from strandline_sim.faults import Rule
    from strandline_sim.market.spec import SymbolSpec
    from strandline_sim.prepared_markets import PreparedMarket
    from strandline_sim.world import Ports, World


def sim(
    seed: Annotated[int, typer.Option(help="The same seed gives the same market.")] = 1,
    symbols: Annotated[str, typer.Option(help="Perps to list, such as BTC,ETH; by default all that are known.")] = "",
    scenario: Annotated[str, typer.Option(help="A scenario, such as demo: its own symbols with scripted prices.")] = "",
    scenario_start: Annotated[
        datetime | None, typer.Option(help="Start of the scenario, UTC, in whole minutes; by default now.")
    ] = None,
    made_up: Annotated[int, typer.Option(help="Number of additional perps with invented names.", min=0, max=2000)] = 0,
    speed: Annotated[float, typer.Option(help="Speed of the venues' clock: at 60 a minute takes a second.")] = 1.0,
    stepped: Annotated[
        bool, typer.Option("--stepped", help="The clock stands still until POST /clock/step on the control port.")
    ] = False,
    start: Annotated[
        datetime | None, typer.Option(help="Start time of the venues' clock, UTC; by default now.")
    ] = None,
    starting_usdc: Annotated[
        str, typer.Option(help="USDC that an unknown Hyperliquid address gets when a client first asks about it.")
    ] = "10000",
    faults: Annotated[Path | None, typer.Option(help="A fault script, in TOML: see docs/simulated-venues.md.")] = None,
    fault_chance: Annotated[
        float, typer.Option(help="The chance of each kind of fault at any request.", min=0, max=1)
    ] = 0.0,
    tape: Annotated[Path | None, typer.Option(help="Write every event to this file, one JSON line each.")] = None,
    state: Annotated[
        Path | None,
        typer.Option(help="Record clients' commands in this file; a start with the same file restores the simulation."),
    ] = None,
    unlimited: Annotated[
        bool,
        typer.Option("--unlimited", help="Switch rate limits off; with --speed, --start or --stepped there are none."),
    ] = False,
    hyperliquid_port: Annotated[int, typer.Option(help="Port of REST and WebSocket; 0 takes any free port.")] = 3001,
    solana_port: Annotated[int, typer.Option(help="Port of JSON-RPC.")] = 8899,
    jupiter_port: Annotated[int, typer.Option(help="Port of Jupiter's API.")] = 3002,
    control_port: Annotated[
        int, typer.Option(help="Port to control the simulation: tape, journal, clock, faults and deposits.")
    ] = 3003,
) -> None:
    """Simulate Hyperliquid, Solana and Jupiter on this machine, over their real protocols.

    Point any client at the printed URLs; Ctrl-C stops it. Nothing outside of this machine is contacted.

    Example: strandline sim --seed 7 --speed 60

    Example: strandline sim --stepped --tape tape.jsonl --faults faults.toml

    Example: strandline sim --state simulation.jsonl
    """
    import asyncio
    from contextlib import ExitStack

    from strandline.model.record import require
    from strandline_sim.clock import RunningClock, SteppedClock
    from strandline_sim.command_log import restore
    from strandline_sim.symbols import made_up_perps
    from strandline_sim.world import Ports, World

    start_ms = _milliseconds(start or datetime.now(UTC))
    ports = Ports(hyperliquid=hyperliquid_port, solana=solana_port, jupiter=jupiter_port, control=control_port)
    real_time = not stepped and speed == 1 and start is None
    try:
        reproducible = real_time and faults is None and not fault_chance
        require(reproducible or not state, "--state needs a clock in real time and no faults")
        with ExitStack() as files:
            clock = SteppedClock(start_ms) if stepped else RunningClock(start_ms, speed)
            state_file = files.enter_context(_open_state_file(state)) if state else None
            tape_file = files.enter_context(tape.open("wb")) if tape else None
            perps = [*_selected_perps(symbols), *made_up_perps(made_up)]
            prepared = _scenario_market(scenario, scenario_start, start_ms)

            def make() -> World:
                return World(
                    clock,
                    seed=seed,
                    perps=prepared.perps if prepared else perps,
                    scenario=prepared.scenario if prepared else None,
                    shifts=prepared.shifts if prepared else None,
                    rules=_fault_rules(faults, fault_chance),
                    tape=tape_file,
                    starting_usdc=_parse_amount(starting_usdc) or None,
                    real_time=real_time,
                    limited=not unlimited,
                    command_file=state_file,
                )

            if state_file is None:
                world = make()
            else:
                options = {
                    "seed": seed,
                    "starting_usdc": starting_usdc,
                    "symbols": ",".join(spec.symbol for spec in perps),
                    "scenario": scenario,
                    "scenario_start": scenario_start.isoformat() if scenario_start else "",
                }
                world, commands = restore(state_file, clock, options, make)
                world.command_log.replay(commands)
            asyncio.run(_serve(world, ports))
    except OSError as error:
        remedy = "choose other ports (0 for any free one), and a tape and a state that can be written"
        raise StrandlineError(f"cannot start: {error}", remedy) from error
    except ValueError as error:
        raise ConfigurationError([f"{error}; see strandline sim --help"]) from error


def _milliseconds(instant: datetime) -> int:
    return int(instant.replace(tzinfo=UTC).timestamp() * 1000)


@contextmanager
def _open_state_file(state: Path) -> "Iterator[BinaryIO]":
    """Open for reading and appending; an empty file is created."""
    state.touch()
    with state.open("r+b") as file:
        yield file


def _scenario_market(scenario: str, starts: datetime | None, now_ms: int) -> "PreparedMarket | None":
    from strandline_sim.prepared_markets import prepared_market

    if not scenario:
        return None
    return prepared_market(scenario, _milliseconds(starts) if starts else now_ms // 60_000 * 60_000)


def _selected_perps(symbols: str) -> "list[SymbolSpec]":
    from strandline_sim.symbols import PERPS

    known = {spec.symbol: spec for spec in PERPS}
    names = [name.strip() for name in symbols.split(",") if name.strip()] or list(known)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"--symbols: {', '.join(unknown)} not known, only {', '.join(known)}")
    return [known[name] for name in names]


def _parse_amount(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not (amount.is_finite() and amount >= 0):
        raise ValueError(f"--starting-usdc is {text!r}, which is not an amount of 0 or more")
    return amount


def _fault_rules(script: Path | None, chance: float) -> "list[Rule]":
    from strandline_sim.faults import random_faults, read_script

    return [
        *(read_script(script.read_text(encoding="utf-8")) if script else []),
        *(random_faults(chance) if chance else []),
    ]


async def _serve(world: "World", ports: "Ports") -> None:
    """Serve until SIGINT or SIGTERM."""
    import asyncio
    import signal

    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, done.set)
    try:
        endpoints = await world.start(ports=ports)
        for name, url in endpoints._asdict().items():
            print(f"{name:<12} {url}", flush=True)
        print("Ready; Ctrl-C stops it.", flush=True)
        await done.wait()
    finally:
        await world.stop()
