"""Writes archives of trades as the venue lays them out."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import lz4.frame  # type: ignore[import-untyped]

HOUR = timedelta(hours=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Trade(NamedTuple):
    """A trade of the market; `side` is the aggressor's, B or A."""

    ts: datetime
    tid: int
    coin: str = "BTC"
    px: str = "100.5"
    sz: str = "0.25"
    side: str = "B"


def fills(trade: Trade) -> list[tuple[str, dict[str, Any]]]:
    """The buyer's fill and the seller's."""
    return [
        (
            f"0x{side}",
            {
                "coin": trade.coin, "px": trade.px, "sz": trade.sz, "side": side,
                "time": (trade.ts - EPOCH) // timedelta(milliseconds=1), "startPosition": "0.0", "dir": "Open Long",
                "closedPnl": "0.0", "hash": f"0x{trade.tid:x}", "oid": 2 * trade.tid + (side == "B"),
                "crossed": side == trade.side, "fee": "0.01", "tid": trade.tid, "feeToken": "USDC", "cloid": None,
            },
        )
        for side in "BA"
    ]  # fmt: skip


def node_trade(trade: Trade) -> dict[str, Any]:
    """Its record in node_trades."""
    party = {"user": "0x", "start_pos": "0.0", "twap_id": None, "cloid": None}
    return {
        "coin": trade.coin, "side": trade.side, "time": trade.ts.isoformat(timespec="milliseconds")[:-6],
        "px": trade.px, "sz": trade.sz, "hash": f"0x{trade.tid:x}", "trade_dir_override": "Na",
        "side_info": [{**party, "oid": 2 * trade.tid + 1}, {**party, "oid": 2 * trade.tid}],
    }  # fmt: skip


def block(events: Sequence[Any]) -> dict[str, Any]:
    """A line of node_fills_by_block."""
    return {"local_time": "2025-08-01T00:00:00.1", "block_time": "2025-08-01T00:00:00", "block_number": 1,
            "events": events}  # fmt: skip


def write_hour(folder: Path, dataset: str, hour: datetime, records: Iterable[object]) -> Path:
    """Write the file of an hour; returns its path."""
    path = folder / dataset / "hourly" / f"{hour:%Y%m%d}" / f"{hour.hour}.lz4"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(lz4.frame.compress("".join(f"{json.dumps(record)}\n" for record in records).encode()))
    return path


def write_trades(folder: Path, dataset: str, by_hour: Mapping[datetime, Sequence[Trade]]) -> None:
    """Write each hour's trades into its file, as this dataset tells them."""
    for hour, trades in by_hour.items():
        both = [fill for trade in trades for fill in fills(trade)]
        records: Mapping[str, Iterable[object]] = {
            "node_trades": map(node_trade, trades),
            "node_fills": both,
            "node_fills_by_block": [block(both[start : start + 7]) for start in range(0, len(both), 7)],
        }
        write_hour(folder, dataset, hour, records[dataset])
