"""What the demo needs before it starts: its rows, and prices of the past for tokens whose venue keeps none."""

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

_RECORDED: Final = timedelta(minutes=5_000)
"""As far back as Hyperliquid's candles of a minute go."""

_MINUTE_MS: Final = 60_000


def seed_rows(settings: "Settings") -> None:
    """The rows that trade; those that are there already stay as they are."""
    from strandline.cli.demo.market import rows
    from strandline.cycle.positions import add_positions
    from strandline.strategy import load_strategy

    with _engine(settings, Role.APP) as engine, engine.begin() as connection:
        add_positions(connection, rows(load_strategy(settings)))


def seed_prices(settings: "Settings", moment: datetime) -> bool:
    """Prices for the minutes in which nobody listened; false as long as the sidecar does not know all tokens."""
    from strandline.cli.demo.market import mints
    from strandline.history.prices import load_prices

    symbols = {mint: symbol for symbol, mint in mints().items()}
    with _engine(settings, Role.INGEST) as engine:
        instruments = _instruments(engine, list(symbols))
        if len(instruments) < len(symbols):
            return False
        market, now = _market(moment), datetime.now(UTC)
        for mint, instrument_id in instruments.items():
            heard = _minutes_heard(engine, instrument_id, now - _RECORDED)
            load_prices(engine, instrument_id, recorded(market, symbols[mint], heard, now))
    return True


@contextmanager
def _engine(settings: "Settings", role: Role) -> Iterator[Engine]:
    engine = connect(database_url(settings, role), role)
    try:
        yield engine
    finally:
        engine.dispose()


def _market(moment: datetime) -> "Market":
    """The very market that the simulated venues show."""
    from strandline.cli.demo.market import SCENARIO, SEED
    from strandline_sim.prepared_markets import prepared_market
    from strandline_sim.world import market_of

    prepared = prepared_market(SCENARIO, int(moment.timestamp() * 1000))
    return market_of(SEED, prepared.perps, prepared.scenario, prepared.shifts)


def recorded(
    market: "Market", symbol: str, heard: Container[datetime], now: datetime
) -> Iterator[tuple[datetime, float]]:
    """Four prices of each minute that is over: where it opened, its extremes, and where it closed."""
    first, end = (int(instant.timestamp() * 1000) // _MINUTE_MS * _MINUTE_MS for instant in (now - _RECORDED, now))
    for candle in market.candles(symbol, _MINUTE_MS, first, end):
        minute = datetime.fromtimestamp(candle.time / 1000, UTC)
        if minute not in heard:
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


def _minutes_heard(engine: Engine, instrument_id: int, since: datetime) -> set[datetime]:
    with engine.connect() as connection:
        return set(
            connection.scalars(
                text("""
                SELECT DISTINCT date_trunc('minute', ts) FROM ticks WHERE instrument_id = :instrument AND ts >= :since
                """),
                {"instrument": instrument_id, "since": since},
            )
        )
