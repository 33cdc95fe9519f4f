"""`strandline cycles`: lists cycles, and voids one."""

from datetime import UTC, datetime
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="List cycles with their outcomes, and void one.")


@app.command("list")
def list_cycles(
    newest: Annotated[int, typer.Option("--newest", "-n", min=1, help="How many, from the newest back.")] = 20,
) -> None:
    """Print the newest cycles: outcome, number of intents, and how many of these have orders.

    One that fetched prices and was not planned is unplanned.

    One of the future is marked: no cycle before it trades, until its time comes or `strandline cycles void` takes it
    back.
    """
    from sqlalchemy import text

    from strandline.cycle.context import open_context
    from strandline.store.timeouts import TRADING

    with open_context(TRADING) as context, context.database.connect() as connection:
        now = context.clock()
        rows = connection.execute(
            text("""
            SELECT cycle_t, coalesce(outcome::text, 'unplanned') AS outcome, decided_at,
                   count(i) AS intents, count(o) AS orders
            FROM cycles FULL JOIN (SELECT DISTINCT cycle_t FROM marks WHERE NOT voided) AS priced USING (cycle_t)
            LEFT JOIN intents i USING (cycle_t)
            LEFT JOIN LATERAL (SELECT 1 FROM orders WHERE orders.intent_id = i.intent_id LIMIT 1) AS o ON true
            GROUP BY cycle_t, outcome, decided_at ORDER BY cycle_t DESC LIMIT :newest
            """),
            {"newest": newest},
        ).all()
    for row in rows:
        decided = f"{row.decided_at:%Y-%m-%d %H:%M:%S}" if row.decided_at else "never"
        future = "  in the future" if row.cycle_t > now else ""
        print(
            f"{row.cycle_t:%Y-%m-%dT%H:%MZ}  {row.outcome:<11}  decided {decided:<19}  "
            f"{row.intents} intents, {row.orders} with orders{future}"
        )
    if not rows:
        print("No cycle has been planned yet.")


@app.command()
def void(
    cycle: Annotated[
        str, typer.Argument(metavar="T", help="The cycle, as `strandline cycles list` prints it: 2026-11-21T14:00Z.")
    ],
    reason: Annotated[str, typer.Option("--reason", help="Why, for those who read the strands later.")],
    keep_orders: Annotated[
        bool,
        typer.Option("--keep-orders", help="Void it although orders were written down; they and their fills stay."),
    ] = False,
) -> None:
    """Take back a cycle that should not have been planned, such as one of the future after the clock had jumped.

    A planned cycle keeps every cycle before it from trading, exits too. Voided, it keeps none; its intents that have no
    order are skipped, its prices count no more, indicators that took in unfinished bars are computed anew, and a strand
    of the chain `system` says who did it and why. The same five minutes may then be planned again.

    Example: strandline cycles list

    Example: strandline cycles void 2026-11-21T14:00Z --reason "the clock was two hours ahead"
    """
    from getpass import getuser

    from strandline.cycle.context import open_context
    from strandline.cycle.voiding import void_cycle
    from strandline.store.timeouts import TRADING

    instant = _instant(cycle)
    with open_context(TRADING) as context:
        done = void_cycle(context, instant, person=getuser(), reason=reason, keep_orders=keep_orders)
    print(
        f"The cycle of {instant:%Y-%m-%dT%H:%MZ} is void: {done.skipped} intents skipped, {done.kept} with "
        f"orders kept, {done.marks} prices ignored, {done.series} series begun anew."
    )


def _instant(cycle: str) -> datetime:
    try:
        instant = datetime.fromisoformat(cycle)
    except ValueError as error:
        raise typer.BadParameter(f"{cycle} is no date and time; write it as 2026-11-21T14:00Z") from error
    if instant.tzinfo is None:
        raise typer.BadParameter(f"{cycle} has no time zone; write {cycle}Z if UTC is meant")
    return instant.astimezone(UTC)
