"""The loss latch: after a trade that lost, a row waits for another trend before it buys again."""

from strandline.model.signal import EngineState, Signal
from strandline.pm.inputs import LastLoss, RowInputs


def is_latched(row: RowInputs) -> bool:
    """Whether the last closed trade lost, and what it waits for has not come since."""
    loss, state = row.history.last_loss, row.planner_state
    if loss is None or (state is not None and state.released_trade_no == loss.trade_no):
        return False
    seen = (*row.signals, *((row.newest,) if row.newest is not None else ()))
    return not any(_releases(signal, loss) for signal in seen)


def _releases(signal: Signal, loss: LastLoss) -> bool:
    """A loss before S3 waits for the next S3, one inside of it until that S3 is over."""
    return signal.state is EngineState.S3 if loss.trend_id is None else signal.trend_id != loss.trend_id
