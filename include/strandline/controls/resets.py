"""Resets the breakers that only a person resets."""

from sqlalchemy import Connection, text

from strandline.controls.orders import Done, Signed, give
from strandline.cycle.context import Context
from strandline.model.breaker import Breaker
from strandline.model.control import Control


def reset_breakers(context: Context, signed: Signed) -> Done:
    """Let the next cycle take its equity as the peak, and count losses from now on."""
    with context.database.begin() as connection:
        tripped, pending = _state(connection)
        if pending:
            return Done(
                False, "Nothing changed: a reset is ordered already; the next cycle that knows its equity does it."
            )
        resettable = [breaker.value for breaker in tripped if not breaker.ends_with_the_day]
        if not resettable:
            return Done(False, f"Nothing changed: neither drawdown nor losing_streak is tripped.{_daily(tripped)}")
        give(connection, context, Control.RESET, signed, facts={"tripped": " ".join(resettable)})
    return Done(
        True,
        f"{' and '.join(resettable)} will be reset by the next cycle: its equity is the new peak, and only trades that "
        f"close from now on count as losses in a row.{_daily(tripped)}",
    )


def _state(connection: Connection) -> tuple[tuple[Breaker, ...], bool]:
    """The breakers that the newest cycle left tripped, and whether a reset waits for the next one."""
    row = connection.execute(
        text("""
        SELECT breakers, reset_no FROM equity JOIN cycles USING (cycle_t)
        WHERE outcome <> 'voided' ORDER BY cycle_t DESC LIMIT 1
        """)
    ).one_or_none()
    newest = connection.scalar(text("SELECT max(control_no) FROM controls WHERE control = 'reset'")) or 0
    if row is None:
        return (), False
    return tuple(Breaker(name) for name in row.breakers), newest > row.reset_no


def _daily(tripped: tuple[Breaker, ...]) -> str:
    return " daily_loss is tripped until 00:00 UTC; nobody resets it." if Breaker.DAILY_LOSS in tripped else ""
