"""Halts and their end. Executors read them before every order."""

from strandline.controls.orders import Done, Signed, give
from strandline.cycle.context import Context
from strandline.execution import read_halt
from strandline.model.control import Control, Halt


def halt(context: Context, signed: Signed) -> Done:
    """Stop entries. Nothing changes while everything is halted already."""
    with context.database.begin() as connection:
        before = read_halt(connection)
        if before is not None:
            return Done(False, f"Nothing changed: {before}.")
        give(connection, context, Control.HALT, signed)
    return Done(
        True,
        "Entries are halted, also those that are planned and not sent. Stops, trails and all other exits go on. "
        "`strandline controls resume` ends it.",
    )


def halt_all(context: Context, signed: Signed) -> Done:
    """Stop every order but a person's own exits: stops too."""
    with context.database.begin() as connection:
        before = read_halt(connection)
        if before is not None and before.halt is Halt.ALL:
            return Done(False, f"Nothing changed: {before}.")
        give(connection, context, Control.HALT_ALL, signed)
    return Done(
        True,
        "Every order is halted. STOPS DO NOT FIRE until `strandline controls resume`; each cycle warns of it. "
        "`strandline controls flatten` and `force-exit` still sell.",
    )


def resume(context: Context, signed: Signed) -> Done:
    """End the halt."""
    with context.database.begin() as connection:
        before = read_halt(connection)
        if before is None:
            return Done(False, "Nothing changed: nothing is halted. `strandline controls reset` is for breakers.")
        give(connection, context, Control.RESUME, signed, facts={"ended": str(before)})
    return Done(True, "The halt is over. Exits that came due meanwhile are planned by the next cycle.")
