"""The checks of ticks."""

from strandline.quality.severity import Severity
from strandline.quality.suite import Check, Suite, with_literals
from strandline.quality.window import Window

_WINDOW = """
    SELECT instrument_id, ts, trade_id, price, size, side, kind FROM ticks
    WHERE ts >= :ticks_from AND ts < :cycle
    UNION ALL
    SELECT instrument_id, ts, trade_id, price, size, side, kind FROM ticks
    WHERE ts >= :cycle AND ts > :future
"""

# A faulty tick concerns its instrument, on all timeframes. There is one finding for each minute, with the first faulty
# tick; the checks of bars find the bars that were built from it.
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
    """The checks of the ticks of the cycle, and of ticks that are dated in the future."""
    return Suite(
        "ticks",
        with_literals(_WINDOW, ticks_from=window.ticks_from, cycle=window.cycle, future=window.future),
        (
            Check("bad_tick_price", Severity.BLOCK_ALL, _PRICE),
            Check("incomplete_trade", Severity.BLOCK_ALL, _TRADE),
            Check("tick_from_the_future", Severity.WARN, with_literals(_FUTURE, future=window.future)),
        ),
    )
