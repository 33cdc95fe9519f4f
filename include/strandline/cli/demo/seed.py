"""Loads what the demo needs before it starts: its rows, and past prices of tokens, whose venue has no history."""

from collections.abc import Container, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import Engine, text

from strandline.store.connect import connect, database_url
from strandline.store.roles import Role

if TYPE_CHECKING:
    from strandline.settings import Settings
    from strandline_sim.market.market import Market

_HISTORY: Final = timedelta(minutes=5_000)
"""As much as Hyperliquid's history of 1m candles."""

_MINUTE_MS: Final = 60_000


def seed_rows(settings: "Settings") -> None:
    """Add the rows that trade; existing rows are unchanged."""
    from strandline.cli.demo.market import rows
    from strandline.controls.positions import insert_positions
    from strandline.strategy import load_strategy

    with _engine(settings, Role.APP) as engine, engine.begin() as connection:
        insert_positions(connection, rows(load_strategy(settings)))


def seed_prices(settings: "Settings", scenario_start: datetime) -> bool:
    """Load prices for minutes without ticks; return False until the sidecar has registered all tokens."""
    from strandline.cli.demo.market import mints
    from strandline.history.prices import load_prices

    symbols = {mint: symbol for symbol, mint in mints().items()}
    with _engine(settings, Role.INGEST) as engine:
        instruments = _instruments(engine, list(symbols))
        if len(instruments) < len(symbols):
            return False
        market, now = _market(scenario_start), datetime.now(UTC)
        for mint, instrument_id in instruments.items():
            known = _minutes_with_ticks(engine, instrument_id, now - _HISTORY)
            load_prices(engine, instrument_id, recorded(market, symbols[mint], known, now))
    return True


@contextmanager
def _engine(settings: "Settings", role: Role) -> Iterator[Engine]:
    engine = connect(database_url(settings, role), role)
    try:
        yield engine
    finally:
        engine.dispose()


def _market(scenario_start: datetime) -> "Market":
    """Make the same market as the simulated venues."""
    from strandline.cli.demo.market import SCENARIO, SEED
    from strandline_sim.prepared_markets import prepared_market
    from strandline_sim.world import market_of

    prepared = prepared_market(SCENARIO, int(scenario_start.timestamp() * 1000))
    return market_of(SEED, prepared.perps, prepared.scenario, prepared.shifts)


def recorded(
    market: "Market", symbol: str, minutes_with_ticks: Container[datetime], now: datetime
) -> Iterator[tuple[datetime, float]]:
    """Yield four prices of each complete minute without ticks: open, both extremes, close."""
    first, end = (int(instant.timestamp() * 1000) // _MINUTE_MS * _MINUTE_MS for instant in (now - _HISTORY, now))
    for candle in market.candles(symbol, _MINUTE_MS, first, end):
        minute = datetime.fromtimestamp(candle.time / 1000, UTC)
        if minute not in minutes_with_ticks:
            extremes = (candle.low, candle.high) if candle.close >= candle.open else (candle.high, candle.low)
            for seconds, price in zip((1, 20, 40, 59), (candle.open, *extremes, candle.close), strict=True):
                yield minute + timedelta(seconds=seconds), float(price)


def _instruments(engine: Engine, mints: list[str]) -> dict[str, int]:
    with engine.connect() as connection:
        found = connection.execute(
            text("SELECT token_contract, instrument_id FROM instruments WHERE token_contract = ANY(:mints)"),
            {"mints": mints},
        )
        return {row.token_contract: row.instrument_id for row in found}


def _minutes_with_ticks(engine: Engine, instrument_id: int, since: datetime) -> set[datetime]:
    with engine.connect() as connection:
        return set(
            connection.scalars(
                text("""
                SELECT DISTINCT date_trunc('minute', ts) FROM ticks WHERE instrument_id = :instrument AND ts >= :since
                """),
                {"instrument": instrument_id, "since": since},
            )
        )
