"""`python -m strandline_sim`: the simulator without the rest of Strandline."""

import sys

import typer

from strandline.model.errors import StrandlineError
from strandline_sim.command import sim


def main() -> None:
    """Run the command; a known error is one line on stderr, never a traceback."""
    app = typer.Typer(pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]})
    app.command()(sim)
    try:
        app()
    except StrandlineError as error:
        for line in str(error).splitlines():
            print(f"strandline_sim: {line}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
