"""The state of a series between two bars: one record, stored as bytes."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from strandline.engine.records import Bits, Floats, Ints, Records, record_type, with_views
from strandline.engine.version import ENGINE_VERSION
from strandline.model.canonical import digest
from strandline.model.errors import StrandlineError
from strandline.model.strategy import Strategy

NO_INSTANT: Final = -(2**63)
"""Stands for a missing instant."""


class SeriesState:
    """The fields; instants are microseconds since 1970, windows hold their newest value last."""

    layout: int
    bars: int
    ts: int

    state: int
    state_since: int
    attempt: int
    trend: int
    trend_bar: int
    ended_by: int
    order_held: int
    dip_taken: int
    emergency: int
    closes_under_ema333: int

    high: float
    low: float
    close: float
    ema: Floats
    session_atr: float
    full_atr: float
    plus_move: float
    minus_move: float
    gain: float
    loss: float
    adx: float
    volumes: int
    volume_mean: float
    volume_variance: float

    ema_values: Floats
    rsi_values: Floats
    adx_values: Floats
    atr_values: Floats
    separation_fast: Floats
    separation_mid: Floats
    slope144_values: Floats
    lower_lows: Bits
    under_ema60: Bits
    closes: Floats
    close_ts: Ints

    pivots: int
    pivot_price: Floats
    pivot_ts: Ints
    pivot_bar: Ints


class SeriesStateWithViews(SeriesState):
    """The same state; windows that lie side by side have one name more, by which a bar shifts all of them at once."""

    all_floats: Floats
    all_bits: Bits
    all_closes: Ints


_VIEWS: Final = {
    "all_floats": ("ema_values", "slope144_values"),
    "all_bits": ("lower_lows", "under_ema60"),
    "all_closes": ("closes", "close_ts"),
}


def state_type(strategy: Strategy) -> np.dtype[np.void]:
    """The record type; the strategy sets the lengths of the windows."""
    lengths = strategy.indicators
    slope, pivot_window = (lengths.slope_bars,), (2 * strategy.levels.side_bars + 1,)
    separation = (lengths.separation_bars + 1,)
    decay = (strategy.scores.decay.window_bars,)
    pivots = (strategy.levels.newest,)
    state = record_type(
        SeriesState,
        {
            "ema": (len(lengths.ema_bars),),
            "ema_values": (len(lengths.ema_bars), *slope),
            "rsi_values": slope,
            "adx_values": slope,
            "atr_values": (lengths.atr_mean_bars,),
            "separation_fast": separation,
            "separation_mid": separation,
            "slope144_values": (strategy.scores.dip.rising_bars + 1,),
            "lower_lows": decay,
            "under_ema60": decay,
            "closes": pivot_window,
            "close_ts": pivot_window,
            "pivot_price": pivots,
            "pivot_ts": pivots,
            "pivot_bar": pivots,
        },
    )
    return with_views(state, _VIEWS)


class StateFormat:
    """Creates and reads the states of series under one strategy."""

    def __init__(self, strategy: Strategy) -> None:
        self.type = state_type(strategy)
        made_with = (ENGINE_VERSION, strategy.indicators, strategy.levels, strategy.scores.decay.window_bars)
        self._layout = int(digest([*made_with, strategy.scores.dip.rising_bars])[:15], 16)

    def new_state(self) -> bytes:
        """The state of a series that has no bars yet."""
        state = np.zeros(1, self.type)
        state["layout"] = self._layout
        for name in ("ts", "state_since", "attempt", "trend"):
            state[name] = NO_INSTANT
        return state.tobytes()

    def read(self, stored: Sequence[bytes]) -> Records:
        """Decode stored states into one array; refuses those that another layout made."""
        if all(len(one) == self.type.itemsize for one in stored):
            states = np.frombuffer(bytearray(b"".join(stored)), self.type)
            if np.all(states["layout"] == self._layout):
                return states
        raise StrandlineError(
            "the state of a series was made by another engine version, or with other indicators, levels or windows",
            "return to the version and the parameters that made it; nothing else can read it",
        )
