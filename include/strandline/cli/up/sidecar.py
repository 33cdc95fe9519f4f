"""The sidecar, which streams the venues' trades into the database."""

from typing import Final

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

_LONGEST_SILENCE: Final = 20.0


def has_heartbeat(engine: Engine, uptime: float) -> bool:
    """Whether it has written one lately, and since it was started; the database's clock is compared with itself."""
    try:
        with engine.connect() as connection:
            age = connection.scalar(text("SELECT extract(epoch FROM clock_timestamp() - max(beat_at)) FROM heartbeats"))
    except SQLAlchemyError:
        return False
    return age is not None and float(age) < min(uptime, _LONGEST_SILENCE)
