"""The command itself."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from strandline.cli.demo.session import Session


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="End after the first complete cycle; exits 1 if a part of it failed.")
    ] = False,
) -> None:
    """Watch the whole system trade in a simulated market; Ctrl-C ends it.

    Everything is real but the venues: Postgres, the sidecar, Airflow, the venues' own SDKs and protocols. A dozen
    symbols trade on one-minute bars in a market made to be stormy, so that entries, trims and exits happen while you
    watch. A cycle runs at once and then every five minutes; each prints its tasks, its decisions with their reasons,
    and whether our books equal the venues'.

    What it made is kept in .strandline, or where STRANDLINE_HOME says: started again, it goes on.

    Example: strandline demo

    Example: strandline demo --once
    """
    from strandline.cli.demo.session import demo_session

    with demo_session() as session:
        faults = session.first_cycle()
        if once:
            raise typer.Exit(code=_told(session, faults))
        session.watch()


def _told(session: "Session", faults: list[str]) -> int:
    session.tell("the cycle is complete" if not faults else f"the cycle failed: {'; '.join(faults)}")
    return int(bool(faults))
