"""`strandline sim`: the simulated venues, for any client."""

from contextlib import contextmanager
from datetime import datetime
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
    from strandline_sim.scenes import Staged
    from strandline_sim.world import Ports, World


def sim(
    seed: Annotated[int, typer.Option(help="The same seed gives the same market.")] = 1,
    symbols: Annotated[str, typer.Option(help="Perps to list, such as BTC,ETH; without it all that are known.")] = "",
    scene: Annotated[
        str, typer.Option(help="A market that was made for a purpose, such as demo; it names its own symbols.")
    ] = "",
    moment: Annotated[
        datetime | None, typer.Option(help="When the scene's moment is, UTC, in whole minutes; without it now.")
    ] = None,
    made_up: Annotated[int, typer.Option(help="List so many perps of made-up names besides.", min=0, max=2000)] = 0,
    speed: Annotated[float, typer.Option(help="How fast the venues' clock runs: 60 makes a minute of a second.")] = 1.0,
    stepped: Annotated[
        bool, typer.Option("--stepped", help="The clock stands still until POST /clock/step on the control port.")
    ] = False,
    start: Annotated[datetime | None, typer.Option(help="When the venues' clock starts, UTC; without it now.")] = None,
    newcomers: Annotated[
        str, typer.Option(help="USDC that a Hyperliquid address has when it is first asked about.")
    ] = "10000",
    faults: Annotated[Path | None, typer.Option(help="A fault script, in TOML: see docs/simulated-venues.md.")] = None,
    fault_chance: Annotated[
        float, typer.Option(help="Anything may go wrong at any request, each fault with this chance.", min=0, max=1)
    ] = 0.0,
    tape: Annotated[Path | None, typer.Option(help="Write what truly happened to this file, a line each.")] = None,
    state: Annotated[
        Path | None,
        typer.Option(help="Keep in this file what clients did; started with it again, the box is as it was left."),
    ] = None,
    unlimited: Annotated[
        bool, typer.Option("--unlimited", help="No rate limits; a clock of its own has none anyway.")
    ] = False,
    hyperliquid_port: Annotated[int, typer.Option(help="REST and WebSocket; 0 takes any free port.")] = 3001,
    solana_port: Annotated[int, typer.Option(help="JSON-RPC.")] = 8899,
    jupiter_port: Annotated[int, typer.Option(help="Jupiter's API.")] = 3002,
    control_port: Annotated[int, typer.Option(help="Tape, journal, clock, faults and deposits.")] = 3003,
) -> None:
    """Start a market in a box: Hyperliquid, Solana and Jupiter on this machine, over their real protocols.

    Point any client at the printed URLs; Ctrl-C ends it. Nothing outside of this machine is asked or changed.

    Example: strandline sim --seed 7 --speed 60

    Example: strandline sim --stepped --tape tape.jsonl --faults faults.toml

    Example: strandline sim --state box.jsonl
    """
    import asyncio
    import time
    from contextlib import ExitStack
    from datetime import UTC

    from strandline.model.record import require
    from strandline_sim.clock import RunningClock, SteppedClock
    from strandline_sim.commands import rebuilt
    from strandline_sim.symbols import made_up as made_up_perps
    from strandline_sim.world import Ports, World

    beginning = int((start.replace(tzinfo=UTC).timestamp() if start else time.time()) * 1000)
    ports = Ports(hyperliquid=hyperliquid_port, solana=solana_port, jupiter=jupiter_port, control=control_port)
    real_time = not stepped and speed == 1 and start is None
    try:
        plain = real_time and faults is None and not fault_chance
        require(plain or not state, "--state keeps a box that runs in real time and has no faults of its own")
        with ExitStack() as files:
            clock = SteppedClock(beginning) if stepped else RunningClock(beginning, speed)
            kept = files.enter_context(_opened(state)) if state else None
            written = files.enter_context(tape.open("wb")) if tape else None
            perps = [*_chosen(symbols), *made_up_perps(made_up)]
            staged = _staged(scene, moment, beginning)

            def make() -> World:
                return World(
                    clock,
                    seed=seed,
                    perps=staged.perps if staged else perps,
                    scenario=staged.scenario if staged else None,
                    shifts=staged.shifts if staged else None,
                    rules=_rules(faults, fault_chance),
                    tape=written,
                    newcomers_get=_amount(newcomers) or None,
                    real_time=real_time,
                    limited=not unlimited,
                    commands=kept,
                )

            if kept is None:
                world = make()
            else:
                names = ",".join(spec.symbol for spec in perps)
                told = moment.isoformat() if moment else ""
                options = {"seed": seed, "newcomers": newcomers, "symbols": names, "scene": scene, "moment": told}
                world, commands = rebuilt(kept, clock, options, make)
                world.commands.repeat(commands)
            asyncio.run(_serve(world, ports))
    except OSError as error:
        remedy = "choose other ports (0 for any free one), and a tape and a state that can be written"
        raise StrandlineError(f"cannot start: {error}", remedy) from error
    except ValueError as error:
        raise ConfigurationError([f"{error}; see strandline sim --help"]) from error


@contextmanager
def _opened(state: Path) -> "Iterator[BinaryIO]":
    """To be read from its beginning and added to at its end."""
    state.touch()
    with state.open("r+b") as file:
        yield file


def _staged(scene: str, moment: datetime | None, now_ms: int) -> "Staged | None":
    from datetime import UTC

    from strandline_sim.scenes import staged

    if not scene:
        return None
    at_ms = int(moment.replace(tzinfo=UTC).timestamp() * 1000) if moment else now_ms // 60_000 * 60_000
    return staged(scene, at_ms)


def _chosen(symbols: str) -> "list[SymbolSpec]":
    from strandline_sim.symbols import PERPS

    known = {spec.symbol: spec for spec in PERPS}
    names = [name.strip() for name in symbols.split(",") if name.strip()] or list(known)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"--symbols: {', '.join(unknown)} not known, only {', '.join(known)}")
    return [known[name] for name in names]


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not (amount.is_finite() and amount >= 0):
        raise ValueError(f"--newcomers is {text!r}, which is not an amount of 0 or more")
    return amount


def _rules(script: Path | None, chance: float) -> "list[Rule]":
    from strandline_sim.faults import everywhere, read_script

    return [
        *(read_script(script.read_text(encoding="utf-8")) if script else []),
        *(everywhere(chance) if chance else []),
    ]


async def _serve(world: "World", ports: "Ports") -> None:
    """Until somebody ends it."""
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
        print("The box is open; Ctrl-C closes it.", flush=True)
        await done.wait()
    finally:
        await world.stop()
