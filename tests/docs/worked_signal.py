"""The signal that docs/engine.md works through: `python -m tests.docs.worked_signal` prints it."""

import json
from collections.abc import Mapping
from typing import Any, Final

from strandline.engine import Series
from strandline.model.canonical import canonical_bytes
from strandline.model.signal import Signal
from strandline.model.timeframe import Timeframe
from tests.engine.samples import ENGINE, bars_between
from tests.simulated_year.market import bars_of, market

BAR: Final = 2508
_SHOWN: Final = (
    "instrument_id",
    "timeframe",
    "bar_ts",
    "bar_count",
    "state",
    "trend_id",
    "flags",
    "indicators",
    "scores",
)


def worked_signal() -> Signal:
    """Step the series up to the bar."""
    bars = bars_between(bars_of(market(1, 30)["BTC"], Timeframe.H1), 0, BAR)
    outputs = ENGINE.run(ENGINE.new_state(), bars, 1)[1]
    return ENGINE.signals(outputs, [Series(1, Timeframe.H1, 1)])[0]


def shown(signal: Signal) -> str:
    """The signal as the page shows it: what the scores need, and the terms that they are made of."""
    payload = json.loads(canonical_bytes(signal))
    rows = {name: payload[name] for name in (*_SHOWN, "terms", "levels")}
    return "{\n" + ",\n".join(f'  "{name}": {text_of(value)}' for name, value in rows.items()) + "\n}"


def names(signal: Signal) -> Mapping[str, float]:
    """Every number of the signal by its name; the level is the one that is nearest to EMA 333."""
    level = min(signal.levels, key=lambda one: abs(one.price - signal.indicators["ema333"]))
    return {
        **signal.indicators,
        **signal.terms,
        **signal.scores,
        "level_price": level.price,
        "level_strength": level.strength,
    }


def text_of(value: Any) -> str:
    """JSON in lines of at most about a hundred characters."""
    if not isinstance(value, dict | list) or len(json.dumps(value)) < 90:
        return json.dumps(value)
    if isinstance(value, list):
        return "[\n    " + ",\n    ".join(json.dumps(one) for one in value) + "\n  ]"
    lines = [""]
    for name, one in value.items():
        item = f'"{name}": {json.dumps(one)}'
        if len(lines[-1]) + len(item) > 100:
            lines.append("")
        lines[-1] += f"{item}, "
    return "{\n    " + "\n    ".join(line.rstrip() for line in lines).rstrip(",") + "\n  }"


if __name__ == "__main__":
    print(shown(worked_signal()))
