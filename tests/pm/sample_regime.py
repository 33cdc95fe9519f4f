"""What is known of the market at T, so that a test names only what it is about."""

from strandline.model.regime import MESO, Phase
from strandline.model.signal import Flag
from strandline.model.timeframe import Timeframe
from strandline.pm.inputs import DriverInputs, PhaseInputs, RaisedFlags
from tests.pm.sample_inputs import T


def phase(counts: Phase, timeframe: Timeframe = MESO, bars_late: int = 0) -> PhaseInputs:
    """A phase that counts, on the newest final bar or so many before it."""
    bar_ts = timeframe.last_final(T) - bars_late * timeframe.length
    return PhaseInputs(bar_ts=bar_ts, bar_revision=0, phase=counts, shown=counts, shown_bars=2)


def driver(*raised: tuple[int, Flag], bars_late: int = 0, bar_count: int = 800) -> DriverInputs:
    """A driver that raised these flags, each so many bars ago."""
    newest = MESO.last_final(T)
    return DriverInputs(
        bar_ts=newest - bars_late * MESO.length,
        bar_revision=0,
        bar_count=bar_count,
        raised=tuple(
            RaisedFlags(bar_ts=newest - ago * MESO.length, flags=(flag,)) for ago, flag in sorted(raised, reverse=True)
        ),
    )
