"""The checks of ticks."""

from typing import Final

from strandline.quality.severity import Severity
from strandline.quality.suite import LARGEST, Check, Suite, between, not_null, with_literals
from strandline.quality.window import Window

# A faulty tick concerns its instrument, on all timeframes. There is one finding for each minute, with the first faulty
# tick; the checks of bars find the bars that were built from it.
_WINDOW: Final = """
    SELECT instrument_id, CAST(NULL AS text) AS timeframe, date_trunc('minute', ts, 'UTC') AS ts, ts AS happened_at,
           trade_id, price, size, CAST(side AS text) AS side, CAST(kind AS text) AS kind,
           CASE WHEN kind = 't' AND source <> 'a' THEN trade_id END AS venue_trade_id
    FROM ticks WHERE ts >= :ticks_from AND (ts < :cycle OR ts > :future)
"""
_FUTURE: Final = """
    SELECT instrument_id, NULL AS timeframe, max(happened_at) AS ts, count(*) AS ticks
    FROM {batch} WHERE happened_at > :future GROUP BY 1
"""
_TRADE: Final = ("kind", "t")


def ticks_suite(window: Window) -> Suite:
    """The checks of the ticks of the cycle, and of ticks that are dated in the future."""
    return Suite(
        "ticks",
        with_literals(_WINDOW, ticks_from=window.ticks_from, cycle=window.cycle, future=window.future),
        ("trade_id",),
        (
            Check("bad_tick_price", Severity.BLOCK_ALL, between("price", 0, LARGEST, above=True)),
            Check("incomplete_trade", Severity.BLOCK_ALL, between("size", 0, LARGEST, above=True, where=_TRADE)),
            Check("incomplete_trade", Severity.BLOCK_ALL, not_null("size", where=_TRADE)),
            Check("incomplete_trade", Severity.BLOCK_ALL, not_null("side", where=_TRADE)),
            # Only trades of archives without ids have derived ones, which are below zero.
            Check("trade_without_id", Severity.BLOCK_ALL, between("venue_trade_id", 0, None)),
            Check("tick_from_the_future", Severity.WARN, with_literals(_FUTURE, future=window.future)),
        ),
    )
