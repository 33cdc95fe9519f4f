"""Which part of the code writes which table: one inserts the rows, and a second may only update or delete them.

Tests compare this with the roles' privileges in a migrated database and with every statement in the code.
"""

from collections.abc import Mapping
from typing import Final

from strandline.store.roles import Role

ROLE_OF: Final[Mapping[str, Role]] = {
    "feeds": Role.INGEST,
    "history": Role.INGEST,
    "bars": Role.APP,
    "quality": Role.APP,
    "retention": Role.INGEST,
    "engine_step": Role.APP,
    "cycle": Role.APP,
    "execution": Role.APP,
    "ledger": Role.APP,
    "controls": Role.APP,
}
"""The role that each writer connects as."""

HOME_OF: Final[Mapping[str, tuple[str, ...]]] = {
    "feeds": ("feeds",),
    "history": ("history",),
    "bars": ("bars",),
    "quality": ("quality",),
    "retention": ("retention",),
    "engine_step": ("cycle",),
    "cycle": ("cycle",),
    "execution": ("execution",),
    "ledger": ("ledger",),
    "controls": ("controls",),
}
"""The packages whose code may hold a writer's statements."""

INSERT, UPDATE, DELETE = "INSERT", "UPDATE", "DELETE"

WRITES: Final[Mapping[str, Mapping[str, frozenset[str]]]] = {
    "instruments": {"feeds": frozenset({INSERT, UPDATE})},
    "trading_sessions": {"feeds": frozenset({INSERT, UPDATE, DELETE})},
    "ticks": {"feeds": frozenset({INSERT}), "history": frozenset({INSERT}), "retention": frozenset({INSERT})},
    "dirty_minutes": {
        "feeds": frozenset({INSERT}),
        "history": frozenset({INSERT}),
        "retention": frozenset({INSERT}),
        "bars": frozenset({DELETE}),
    },
    "stream_coverage": {"feeds": frozenset({INSERT, UPDATE, DELETE})},
    "outages": {"feeds": frozenset({INSERT, UPDATE, DELETE}), "history": frozenset({UPDATE})},
    "dropped_ticks": {"feeds": frozenset({INSERT, UPDATE}), "history": frozenset({UPDATE})},
    "quarantined_messages": {"feeds": frozenset({INSERT, DELETE})},
    "heartbeats": {"feeds": frozenset({INSERT, UPDATE})},
    "venue_candles": {"history": frozenset({INSERT, UPDATE})},
    "candle_comparisons": {"history": frozenset({INSERT, UPDATE})},
    "asset_contexts": {"history": frozenset({INSERT})},
    "history_loads": {"history": frozenset({INSERT})},
    "commit_counter": {"bars": frozenset({UPDATE})},
    "bars": {"bars": frozenset({INSERT, UPDATE})},
    "bar_revisions": {"bars": frozenset({INSERT})},
    "gaps": {"bars": frozenset({INSERT, UPDATE, DELETE})},
    "quality_runs": {"quality": frozenset({INSERT})},
    "quality_findings": {"quality": frozenset({INSERT})},
    "engine_states": {"engine_step": frozenset({INSERT, UPDATE})},
    "engine_checkpoints": {"engine_step": frozenset({INSERT, DELETE})},
    "resteps": {"engine_step": frozenset({INSERT})},
    "features": {"engine_step": frozenset({INSERT})},
    "regime_states": {"engine_step": frozenset({INSERT, UPDATE})},
    "regime_bars": {"engine_step": frozenset({INSERT})},
    "cycles": {"cycle": frozenset({INSERT, UPDATE})},
    "marks": {"cycle": frozenset({INSERT, UPDATE})},
    "intents": {"cycle": frozenset({INSERT}), "execution": frozenset({UPDATE})},
    "planner_state": {"cycle": frozenset({INSERT, UPDATE})},
    "runs": {"cycle": frozenset({INSERT, UPDATE})},
    "venue_accounts": {"execution": frozenset({INSERT, UPDATE})},
    "orders": {"execution": frozenset({INSERT, UPDATE})},
    "fills": {"execution": frozenset({INSERT})},
    "cash_events": {"execution": frozenset({INSERT})},
    "holdings": {"ledger": frozenset({INSERT, UPDATE, DELETE})},
    "dust": {"ledger": frozenset({INSERT, UPDATE, DELETE})},
    "cash": {"ledger": frozenset({INSERT, UPDATE, DELETE})},
    "trades": {"ledger": frozenset({INSERT, UPDATE, DELETE})},
    "equity": {"ledger": frozenset({INSERT, UPDATE})},
    "strands": {"ledger": frozenset({INSERT})},
    "strand_heads": {"ledger": frozenset({INSERT, UPDATE})},
    "positions": {"controls": frozenset({INSERT, UPDATE})},
    "controls": {"controls": frozenset({INSERT})},
}
"""The statements that each writer of a table may make."""
