"""The suite of the ticks: what the venues said."""

from strandline.quality.severity import Severity
from strandline.quality.suite import Check, Suite, filled
from strandline.quality.window import Window

_WINDOW = """
    SELECT instrument_id, ts, trade_id, price, size, side, kind FROM ticks
    WHERE ts >= :ticks_from AND ts < :cycle
    UNION ALL
    SELECT instrument_id, ts, trade_id, price, size, side, kind FROM ticks
    WHERE ts >= :cycle AND ts > :future
"""

# What is wrong with a tick is wrong with its instrument, whatever the timeframe. It is told once for each minute, with
# the first tick at fault; `bars` finds the bars that were made of it.
_PRICE = """
    SELECT instrument_id, NULL AS timeframe, date_trunc('minute', ts) AS ts, count(*) AS ticks,
           (array_agg(trade_id ORDER BY ts, trade_id))[1] AS trade_id,
           (array_agg(price ORDER BY ts, trade_id))[1] AS price
    FROM {batch} WHERE NOT (price > 0 AND price < 'Infinity') GROUP BY 1, 3
"""
_TRADE = """
    SELECT instrument_id, NULL AS timeframe, date_trunc('minute', ts) AS ts, count(*) AS ticks,
           (array_agg(trade_id ORDER BY ts, trade_id))[1] AS trade_id,
           (array_agg(size ORDER BY ts, trade_id))[1] AS size, (array_agg(side ORDER BY ts, trade_id))[1] AS side
    FROM {batch} WHERE kind = 't' AND (side IS NULL OR size IS NULL OR NOT (size > 0 AND size < 'Infinity'))
    GROUP BY 1, 3
"""
_FUTURE = """
    SELECT instrument_id, NULL AS timeframe, max(ts) AS ts, count(*) AS ticks
    FROM {batch} WHERE ts > :future GROUP BY 1
"""


def ticks_suite(window: Window) -> Suite:
    """The cycle's ticks, and whatever claims to come from the future."""
    return Suite(
        "ticks",
        filled(_WINDOW, ticks_from=window.ticks_from, cycle=window.cycle, future=window.future),
        (
            Check("bad_tick_price", Severity.BLOCK_ALL, _PRICE),
            Check("incomplete_trade", Severity.BLOCK_ALL, _TRADE),
            Check("tick_from_the_future", Severity.WARN, filled(_FUTURE, future=window.future)),
        ),
    )
