"""The `strandline` command: its groups, and how errors reach the person."""

import sys

import typer

from strandline.cli import config, pg
from strandline.model.errors import StrandlineError

app = typer.Typer(
    name="strandline",
    help="Trades trends on several venues under Airflow, and can prove every decision.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(pg.app, name="pg")
app.add_typer(config.app, name="config")


def main() -> None:
    """Run the command; a known error is one line on stderr, never a traceback."""
    try:
        app()
    except StrandlineError as error:
        for line in str(error).splitlines():
            print(f"strandline: {line}", file=sys.stderr)
        sys.exit(error.exit_code)
