"""All answers of Hyperliquid."""

from tests.strandline_sim.contract.schemas.build import Schema
from tests.strandline_sim.contract.schemas.hyperliquid_exchange import EXCHANGE
from tests.strandline_sim.contract.schemas.hyperliquid_info import INFO, REFUSED_QUERY
from tests.strandline_sim.contract.schemas.hyperliquid_stream import TOPICS, answers


def schemas() -> dict[str, Schema]:
    """Return the schema of every answer, by what it answers; one of the topics has a channel of another name."""
    return {
        **{f"info {name}": schema for name, schema in INFO.items()},
        "info refused": REFUSED_QUERY,
        **{f"action {name}": schema for name, schema in EXCHANGE.items()},
        **{f"frame {'user' if name == 'userEvents' else name}": schema for name, schema in TOPICS.items()},
        **{f"frame {name}": schema for name, schema in answers(INFO, EXCHANGE).items()},
    }
