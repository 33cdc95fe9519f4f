"""`strandline controls`: halts, resets of breakers, and exits by hand."""

from typing import Annotated

import typer

from strandline.cli.signed import By, Why, signed, tell

app = typer.Typer(
    no_args_is_help=True,
    help="Stop trading, let it go on, reset breakers, and sell by hand. Each order is recorded with who and why.",
)


@app.command()
def halt(why: Why, by: By) -> None:
    """Stop entries, at once: also in a cycle that is running, before its next order. Exits go on.

    Example: strandline controls halt --why "the exchange announced an upgrade"
    """
    from strandline.controls.halts import halt as order
    from strandline.cycle.context import open_context
    from strandline.store.timeouts import TRADING

    with open_context(TRADING) as context:
        tell(order(context, signed(by, why)))


@app.command("halt-all")
def halt_all(why: Why, by: By) -> None:
    """Stop every order, at once: STOPS TOO. Only flatten and force-exit still sell. Each cycle warns of it.

    What a stop or another exit would have sold stays due, and is sold after `strandline controls resume`.

    Example: strandline controls halt-all --why "the prices of the venue cannot be right"
    """
    from strandline.controls.halts import halt_all as order
    from strandline.cycle.context import open_context
    from strandline.store.timeouts import TRADING

    with open_context(TRADING) as context:
        tell(order(context, signed(by, why)))


@app.command()
def resume(why: Why, by: By) -> None:
    """End a halt. Breakers stay tripped, and paused positions stay paused.

    Example: strandline controls resume --why "the upgrade is over"
    """
    from strandline.controls.halts import resume as order
    from strandline.cycle.context import open_context
    from strandline.store.timeouts import TRADING

    with open_context(TRADING) as context:
        tell(order(context, signed(by, why)))


@app.command()
def reset(why: Why, by: By) -> None:
    """Reset the breakers drawdown and losing_streak: the next cycle's equity is the new peak.

    Losses in a row are counted anew. The daily loss ends with the UTC day, and nobody resets it.

    Example: strandline controls reset --why "the losses are understood: funding, not the entries"
    """
    from strandline.controls.resets import reset_breakers
    from strandline.cycle.context import open_context
    from strandline.store.timeouts import TRADING

    with open_context(TRADING) as context:
        tell(reset_breakers(context, signed(by, why)))


@app.command()
def flatten(
    why: Why,
    by: By,
    venue: Annotated[str | None, typer.Option(help="Only this venue, by its name or key; otherwise all.")] = None,
) -> None:
    """Sell everything that is held. The next cycle plans it, before all else and also under halt-all.

    Each cycle plans it again until nothing is left. Airflow runs the cycles: if it is down, nothing is sold, and the
    the command says so. New entries are not stopped: halt first.

    Example: strandline controls flatten --why "the wallet may be compromised"
    """
    from strandline.controls.exits import flatten as order
    from strandline.controls.names import parse_venue
    from strandline.cycle.context import open_context
    from strandline.store.timeouts import TRADING

    key = None if venue is None else parse_venue(venue)
    with open_context(TRADING) as context:
        tell(order(context, key, signed(by, why)))


@app.command("force-exit")
def force_exit(
    position: Annotated[str, typer.Argument(help="The row, as `strandline positions list` prints it, or BTC/1h.")],
    why: Why,
    by: By,
) -> None:
    """Sell one position. The next cycle plans it, before all else and also under halt-all, until it is flat.

    Example: strandline controls force-exit BTC/1h --why "delisted on Friday"
    """
    from strandline.controls.exits import force_exit as order
    from strandline.cycle.context import open_context
    from strandline.store.timeouts import TRADING

    with open_context(TRADING) as context:
        tell(order(context, position, signed(by, why)))
