"""The command itself."""

from typing import Annotated

import typer


def demo(
    once: Annotated[
        bool,
        typer.Option(
            "--once",
            help="End after the first cycle; exits 1 if a task failed, a venue filled nothing, or books differ.",
        ),
    ] = False,
) -> None:
    """Watch the whole system trade in a simulated market; Ctrl-C ends it.

    Everything is real but the venues: Postgres, the sidecar, Airflow, the venues' own SDKs and protocols. A dozen
    symbols trade on one-minute bars in a market made to be stormy, so that entries, trims and exits happen while you
    watch. A cycle runs as soon as there are data, and then every five minutes; each prints its tasks, its decisions
    with their reasons, and whether our books equal the venues'. What you kill meanwhile is restarted and waited for.

    What it made is kept in .strandline, or where STRANDLINE_HOME says: started again, it goes on.

    Example: strandline demo

    Example: strandline demo --once
    """
    from strandline.cli.demo.session import demo_session

    with demo_session() as session:
        faults = session.first_cycle()
        if once:
            session.report(f"the cycle failed: {'; '.join(faults)}" if faults else "the cycle is complete")
            raise typer.Exit(code=int(bool(faults)))
        session.watch()
