"""`strandline positions`: the rows that may be traded."""

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from strandline.cli.signed import By, Why, signed, tell
from strandline.model.errors import StrandlineError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from strandline.controls.overview import RowOverview
    from strandline.model.exact import Ratio

app = typer.Typer(
    no_args_is_help=True,
    help="Add rows, show them, pause and archive them. Each change is recorded with who and why.",
)

Position: TypeAlias = Annotated[
    str, typer.Argument(help="The row, as `strandline positions list` prints it, its id, or token/timeframe.")
]


@app.command("list")
def list_positions(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    archived: Annotated[bool, typer.Option("--archived", help="Show archived rows too.")] = False,
) -> None:
    """Print every row: status, what it holds, weight, bars until it may buy, and the last decision that was new.

    dormant: too few bars; watchlist: may buy; active: holds something; paused: only sells; archived: out of trading.
    """
    from strandline.controls.overview import overview
    from strandline.cycle.context import open_context
    from strandline.store.timeouts import TRADING

    with open_context(TRADING) as context, context.database.connect() as connection:
        rows, needed = overview(connection, archived=archived), context.strategy.history.bars_for_flags
    if as_json:
        _print_json(rows, needed)
    elif rows:
        _print_table(rows, needed)
    else:
        print("There are no positions yet; `strandline positions add` adds one.")


@app.command()
def add(
    venue: Annotated[str, typer.Argument(help="Its name or key; a wrong one is answered with all there are.")],
    token: Annotated[str, typer.Argument(help="The venue's name of it: a coin, or on a chain the contract's address.")],
    timeframe: Annotated[str, typer.Argument(help="1m, 5m, 15m, 1h, 4h or 1d.")],
    why: Why,
    by: By,
    weight: Annotated[
        str | None, typer.Option(help="Share of the token's allocation; otherwise the strategy's for the timeframe.")
    ] = None,
) -> None:
    """Add a row. The venue is asked whether it lists the token; the sidecar streams it within 30 seconds.

    Example: strandline positions add VENUE LINK 1h --why "liquid enough now"
    """
    from strandline.controls.names import parse_timeframe, parse_venue
    from strandline.controls.positions import add_position
    from strandline.cycle.context import open_context
    from strandline.store.timeouts import TRADING

    key, length = parse_venue(venue), parse_timeframe(timeframe)
    share = None if weight is None else _weight(weight)
    with open_context(TRADING) as context:
        tell(add_position(context, key, token.strip(), length, share, signed(by, why)))


@app.command()
def pause(position: Position, why: Why, by: By) -> None:
    """Let the row only sell: stops, trails and exits go on, nothing is bought.

    Example: strandline positions pause BTC/1h --why "earnings week"
    """
    from strandline.controls.positions import pause_position
    from strandline.cycle.context import open_context
    from strandline.store.timeouts import TRADING

    with open_context(TRADING) as context:
        tell(pause_position(context, position, signed(by, why)))


@app.command()
def resume(position: Position, why: Why, by: By) -> None:
    """Let a paused or archived row trade again.

    Example: strandline positions resume BTC/1h --why "the week is over"
    """
    from strandline.controls.positions import resume_position
    from strandline.cycle.context import open_context
    from strandline.store.timeouts import TRADING

    with open_context(TRADING) as context:
        tell(resume_position(context, position, signed(by, why)))


@app.command()
def archive(position: Position, why: Why, by: By) -> None:
    """Take a flat row out of trading and streaming. Refused while it holds something or an order of it is open.

    Example: strandline positions archive BTC/1m --why "too noisy"
    """
    from strandline.controls.positions import archive_position
    from strandline.cycle.context import open_context
    from strandline.store.timeouts import TRADING

    with open_context(TRADING) as context:
        tell(archive_position(context, position, signed(by, why)))


@app.command()
def weight(
    position: Position,
    weight: Annotated[str, typer.Argument(help="0 or more; a token's rows share its allocation by their weights.")],
    why: Why,
    by: By,
) -> None:
    """Set the row's share of its token's allocation. What it holds is not changed by it.

    Example: strandline positions weight BTC/1h 0.4 --why "back to the default"
    """
    from strandline.controls.positions import weigh_position
    from strandline.cycle.context import open_context
    from strandline.store.timeouts import TRADING

    share = _weight(weight)
    with open_context(TRADING) as context:
        tell(weigh_position(context, position, share, signed(by, why)))


def _weight(given: str) -> "Ratio":
    from strandline.model.exact import Ratio

    try:
        return Ratio(given)
    except ValueError:
        raise StrandlineError(f"{given} is no weight", "give a number that is not below 0, such as 0.4") from None


def _print_json(rows: "Sequence[RowOverview]", needed: int) -> None:
    import json

    print(json.dumps([{**row._asdict(), "bars_needed": needed} for row in rows], default=str, indent=2))


def _print_table(rows: "Sequence[RowOverview]", needed: int) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("position", "status", "quantity", "entry", "weight", "bars", "A", "E", "last decision")
    for row in rows:
        table.add_row(*(Text(cell, overflow="fold") for cell in _cells(row, needed)))
    Console().print(table)


def _cells(row: "RowOverview", needed: int) -> "Iterator[str]":
    yield row.position
    yield row.status
    yield f"{row.quantity.normalize():f}" if row.quantity else ""
    yield f"{row.average_entry:.6g}" if row.average_entry else ""
    yield f"{row.weight.normalize():f}"
    yield f"{min(row.bars, needed)}/{needed}"
    yield "" if row.appetite is None else f"{row.appetite:.2f}"
    yield "" if row.exit_urgency is None else f"{row.exit_urgency:.2f}"
    yield f"{row.decision}: {', '.join(row.reasons)}" if row.decision else ""
