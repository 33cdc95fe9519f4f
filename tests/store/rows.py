"""A good row for every table, so that a test says only what is special about its own."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, text

T0 = "2026-01-01 00:05:00+00"
HASH = "a" * 64
POSITION = "11111111-1111-5111-8111-111111111111"
OTHER_POSITION = "22222222-2222-5222-8222-222222222222"
INTENT = "33333333-3333-5333-8333-333333333333"
ORDER = "44444444-4444-5444-8444-444444444444"
ACCOUNT = {"token_chain": "hyperliquid", "book_id": "perps", "address": "0xabc"}

ROWS: Mapping[str, Mapping[str, Any]] = {
    "instruments": {
        "token_chain": "hyperliquid",
        "book_id": "perps",
        "token_contract": "BTC",
        "symbol": "BTC",
        "lot": "0.00001",
        "min_notional": 10,
    },
    "trading_sessions": {
        "calendar": "XNYS",
        "session": "2026-01-02",
        "opens_at": "2026-01-02 14:30:00+00",
        "closes_at": "2026-01-02 21:00:00+00",
    },
    "ticks": {
        "ts": "2026-01-01 00:00:01.5+00",
        "instrument_id": 1,
        "trade_id": 7,
        "price": 83770.5,
        "size": 0.25,
        "side": "b",
        "kind": "t",
        "source": "s",
    },
    "dirty_minutes": {"instrument_id": 1, "minute": "2026-01-01 00:00:00+00"},
    "stream_coverage": {"instrument_id": 1, "shard": "0/1", "replica": "a", "since": T0},
    "outages": {"instrument_id": 1, "starts_at": "2026-01-01 00:00:00+00", "ends_at": "infinity"},
    "dropped_ticks": {"instrument_id": 1, "minute": "2026-01-01 00:00:00+00", "dropped": 1},
    "quarantined_messages": {
        "received_at": T0,
        "token_chain": "hyperliquid",
        "source": "stream",
        "reason": "no price",
        "payload": b"{}",
    },
    "heartbeats": {"process": "ingest", "shard": "0/1", "beat_at": T0, "started_at": T0},
    "venue_candles": {
        "instrument_id": 1,
        "timeframe": "1m",
        "ts": "2026-01-01 00:00:00+00",
        "open": 1.0,
        "high": 2.0,
        "low": 1.0,
        "close": 2.0,
        "volume": 3.0,
        "fetched_at": T0,
    },
    "candle_comparisons": {"instrument_id": 1, "asked_at": T0},
    "asset_contexts": {
        "instrument_id": 1,
        "ts": "2026-01-01 00:00:00+00",
        "funding_rate": 0.0000125,
        "open_interest": 21000.5,
        "mark_price": 75000.0,
        "oracle_price": 74990.0,
        "mid_price": 75001.0,
        "premium": 0.00013,
        "loaded_at": T0,
    },
    "history_loads": {
        "instrument_id": 1,
        "source": "archive",
        "unit": "fills/20260101/0",
        "content_hash": HASH,
        "starts_at": "2026-01-01 00:00:00+00",
        "ends_at": "2026-01-01 01:00:00+00",
        "hour": "2026-01-01 00:00:00+00",
        "found": 3,
        "stored": 2,
        "changed": 0,
        "refused": "{}",
        "loaded_at": T0,
    },
    "bars": {
        "instrument_id": 1,
        "timeframe": "1m",
        "ts": "2026-01-01 00:00:00+00",
        "known_seq": 1,
        "open": 1.0,
        "high": 2.0,
        "low": 1.0,
        "close": 2.0,
        "volume": 3.0,
        "ticks": 4,
        "source": "s",
    },
    "gaps": {
        "instrument_id": 1,
        "timeframe": "1m",
        "starts_at": "2026-01-01 00:01:00+00",
        "ends_at": "2026-01-01 00:03:00+00",
        "gap_type": "quiet",
    },
    "quality_runs": {"cycle_t": T0, "suite": "bars", "ran_at": T0, "succeeded": True},
    "quality_findings": {"quality_run_id": 1, "finding_no": 1, "check_name": "staleness", "severity": "block_entries"},
    "engine_states": {
        "instrument_id": 1,
        "timeframe": "1m",
        "generation": 1,
        "engine_version": "4",
        "bar_count": 1,
        "bar_ts": "2026-01-01 00:00:00+00",
        "bar_revision": 0,
        "state_bytes": b"",
    },
    "engine_checkpoints": {
        "instrument_id": 1,
        "timeframe": "1m",
        "generation": 1,
        "bar_ts": "2026-01-01 00:00:00+00",
        "bar_count": 1,
        "state_bytes": b"",
    },
    "resteps": {
        "instrument_id": 1,
        "timeframe": "1m",
        "generation": 1,
        "restep": 1,
        "cycle_t": T0,
        "known_seq": 1,
        "since": "2026-01-01 00:00:00+00",
        "until": "2026-01-01 00:00:00+00",
    },
    "regime_states": {"series": "index", "timeframe": "1h"},
    "regime_bars": {
        "series": "index",
        "timeframe": "1h",
        "generation": 1,
        "ts": "2026-01-01 00:00:00+00",
        "revision": 0,
        "known_seq": 1,
        "open": 100.0,
        "high": 101.0,
        "low": 99.0,
        "close": 100.5,
        "members": '{"BTC": 0}',
        "bar_count": 1,
        "at_low": False,
        "drawdown": 0.005,
        "phase": "neutral",
        "shown_phase": "good",
        "shown_bars": 1,
        "input_hash": HASH,
    },
    "features": {
        "instrument_id": 1,
        "timeframe": "1m",
        "ts": "2026-01-01 00:00:00+00",
        "generation": 1,
        "bar_revision": 0,
        "engine_version": "4",
        "input_hash": HASH,
        "uptrend_engine_v4": "{}",
    },
    "positions": {
        "position_id": POSITION,
        "token_chain": "hyperliquid",
        "book_id": "perps",
        "token_contract": "BTC",
        "timeframe": "1h",
        "weight": "0.4",
    },
    "cycles": {
        "cycle_t": T0,
        "outcome": "planned",
        "decided_at": T0,
        "known_seq": 1,
        "decisions": 1,
        "decision_digest": HASH,
        "code_version": "0.1.0",
        "strategy_hash": HASH,
    },
    "marks": {"cycle_t": T0, "instrument_id": 1, "price": "83770.5", "source": "mark", "observed_at": T0},
    "intents": {
        "intent_id": INTENT,
        "cycle_t": T0,
        "position_id": POSITION,
        "decision": "add",
        "rule": "first_buy",
        "attempt_id": T0,
        "trade_no": 0,
        "attempt_no": 0,
        "size_frac": "0.3",
        "notional": 100,
        "urgency": "normal",
        "max_slippage_bps": 50,
        "reduce_only": False,
        "reasons": ["buy_signal"],
        "state": "S1",
        "appetite": 0.5,
        "exit_urgency": 0.3,
        "decision_price": "83770.5",
        "source_bar": "2026-01-01 00:00:00+00",
        "source_revision": 0,
        "expires_at": "2026-01-01 00:10:00+00",
        "strategy_hash": HASH,
    },
    "planner_state": {
        "position_id": POSITION,
        "generation": 1,
        "bar_ts": "2026-01-01 00:00:00+00",
        "bar_revision": 0,
        "trade_no": 0,
        "trail_armed": False,
    },
    "runs": {
        "dag_id": "trading_cycle",
        "run_id": "r",
        "run_type": "scheduled",
        "task_id": "t",
        "try_number": 1,
        "started_at": T0,
    },
    "venue_accounts": ACCOUNT | {"margined": True},
    "orders": ACCOUNT
    | {
        "order_id": ORDER,
        "intent_id": INTENT,
        "attempt": 1,
        "side": "buy",
        "kind": "ioc",
        "quantity": "0.001",
        "limit_price": 84000,
        "client_order_id": "0x01",
        "nonce": 1,
        "signed_bytes": b"{}",
        "deadline": "2026-01-01 00:10:00+00",
        "plan": "{}",
    },
    "fills": ACCOUNT
    | {
        "venue_fill_id": "f1",
        "order_id": ORDER,
        "token_contract": "BTC",
        "side": "buy",
        "price": 83800,
        "quantity": "0.001",
        "fee": "0.03",
        "cause": "order",
        "ts": T0,
    },
    "cash_events": ACCOUNT
    | {"venue_event_id": "d1", "cause": "deposit", "asset": "USDC", "amount": 5000, "usd": 5000, "ts": T0},
    "holdings": {
        "position_id": POSITION,
        "trade_no": 1,
        "quantity": "0.001",
        "average_entry": 83800,
        "invested": "83.8",
        "extracted": 0,
        "realised_pnl": 0,
        "fees": "0.03",
        "first_fill_at": T0,
    },
    "dust": ACCOUNT | {"token_contract": "BTC", "quantity": 0},
    "cash": ACCOUNT | {"asset": "USDC", "amount": 4916},
    "trades": {
        "position_id": POSITION,
        "trade_no": 1,
        "opened_at": T0,
        "closed_at": T0,
        "invested": 80,
        "extracted": 82,
        "fees": "0.1",
        "net_pnl": "1.9",
        "close_reason": "trail",
    },
    "equity": {
        "cycle_t": T0,
        "equity": 10000,
        "cash": 9916,
        "day_start": 10000,
        "peak": 10000,
        "losing_streak": 0,
    },
    "controls": {"control": "halt", "person": "anna", "reason": "news", "given_at": T0},
    "strand_heads": {"chain": "hyperliquid/perps", "seq": 0, "hash": "0" * 64},
}
"""In an order in which each row finds the rows that it refers to. `commit_counter` has its one row from the start, and
strands are made by `tests.store.test_strands`, because each is about the one before it."""


def insert(connection: Connection, table: str, **special: object) -> None:
    """Insert the table's good row, with what is special; at an earlier step of the schema, what it has of it."""
    existing = set(
        connection.scalars(text("SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(:t)"), {"t": table})
    )
    row = {**{column: value for column, value in ROWS[table].items() if column in existing}, **special}
    if table == "ticks":
        connection.execute(text("SELECT ensure_tick_partitions(:day, :day)"), {"day": str(row["ts"])[:10]})
    columns = ", ".join(row)
    values = ", ".join(f":{column}" for column in row)
    connection.execute(text(f"INSERT INTO {table} ({columns}) VALUES ({values})"), row)


def insert_all(connection: Connection, *tables: str) -> None:
    """Good rows for these tables, or for all that exist now and have none."""
    existing = set(connection.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")))
    for table in ROWS:
        if table in (tables or existing) and not connection.scalar(text(f"SELECT EXISTS (SELECT FROM {table})")):
            insert(connection, table)
