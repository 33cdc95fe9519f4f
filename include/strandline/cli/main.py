"""The `strandline` command: its groups, and the printing of errors."""

import sys

import typer

from strandline.cli import config, controls, cycles, db, pg, positions, quality
from strandline.cli.backfill import HELP as BACKFILL_HELP
from strandline.cli.backfill import backfill
from strandline.cli.data import command as data
from strandline.cli.demo.command import demo
from strandline.cli.ingest import ingest
from strandline.cli.maintenance import maintenance
from strandline.cli.sim import sim
from strandline.cli.up.command import up
from strandline.model.errors import StrandlineError

app = typer.Typer(
    name="strandline",
    help="Trades trends on several venues under Airflow, and can prove every decision.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(pg.app, name="pg")
app.add_typer(db.app, name="db")
app.add_typer(config.app, name="config")
app.add_typer(cycles.app, name="cycles")
app.add_typer(positions.app, name="positions")
app.add_typer(controls.app, name="controls")
app.add_typer(quality.app, name="quality")
app.add_typer(data.app, name="data")
app.command()(demo)
app.command()(up)
app.command()(ingest)
app.command(help=BACKFILL_HELP)(backfill)
app.command()(maintenance)
app.command()(sim)


@app.command()
def doctor() -> None:
    """Check the installation, one line per check with what to do; exits 1 when a check fails.

    ok: passed; warn: for information; -: does not apply here; FAIL: must be fixed.
    """
    from strandline.cli.doctor import examine
    from strandline.cli.doctor.check import Outcome

    healthy = True
    for check in examine():
        print(check, flush=True)
        healthy = healthy and check.outcome is not Outcome.FAILED
    raise typer.Exit(code=not healthy)


def main() -> None:
    """Run the command; a known error is one line on stderr, never a traceback."""
    try:
        app()
    except StrandlineError as error:
        for line in str(error).splitlines():
            print(f"strandline: {line}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
