"""The command `strandline demo`."""

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
    symbols trade on one-minute bars in a volatile market, so that entries, trims and exits happen while you watch. The
    first cycle runs as soon as there are data, then one every five minutes; each prints its tasks, its decisions with
    their reasons, and whether our books equal the venues'. Whatever is killed is restarted.

    Its data are kept in .strandline, or in STRANDLINE_HOME: started again, it continues.

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
