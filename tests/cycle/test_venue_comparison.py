"""Our minutes beside the venue's candles: which were compared, differ, were repaired, and are ours alone."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from strandline.cycle.venue_comparison import compare_with_venue
from strandline.settings import Settings
from strandline.strategy import load_strategy
from tests.conftest import Database
from tests.history.loading import app_engine, register
from tests.store.rows import insert

T0 = datetime(2026, 3, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
STRATEGY = load_strategy(Settings())


def test_minutes_are_compared_within_what_the_gate_allows(database: Database) -> None:
    register(database)
    with database.session() as session:

        def bar(minute: int, close: float, instrument: int = 1) -> None:
            insert(session, "bars", instrument_id=instrument, timeframe="1m", ts=T0 + minute * MINUTE, known_seq=7,
                   open=100, high=110, low=90, close=close, volume=10)  # fmt: skip

        def candle(minute: int, close: float, volume: float = 10, instrument: int = 1) -> None:
            insert(session, "venue_candles", instrument_id=instrument, timeframe="1m", ts=T0 + minute * MINUTE,
                   open=100, high=110, low=90, close=close, volume=volume)  # fmt: skip

        def revise(minute: int, close: float) -> None:
            session.execute(
                text("UPDATE bars SET close = :close, revision = 1, known_seq = 9 WHERE ts = :ts"),
                {"close": close, "ts": T0 + minute * MINUTE},
            )

        # The bar's close, the candle's, the candle's volume; in words what is special.
        pairs: dict[int, tuple[float, float | None, float]] = {
            -1: (100, 105, 10),  # before the time
            0: (100, 100, 10),
            1: (100, 100.0001, 10),  # too little
            2: (100, 105, 10),
            3: (100, 100, 20),
            4: (100, 105, 10),  # repaired
            5: (100, 105, 10),  # revised, and still unlike
            6: (100, 100, 10),  # was like it before it was revised
            7: (100, None, 0),  # the venue has none
            8: (100, 100, 0),  # the venue says that nobody traded
            10: (100, 105, 10),  # after the time
        }
        for minute, (ours, venues, volume) in pairs.items():
            bar(minute, ours)
            if venues is not None:
                candle(minute, venues, volume)
        bar(9, 100, instrument=2)  # not asked for
        candle(9, 105, instrument=2)
        for minute, close in ((4, 105), (5, 101), (6, 100.00001)):
            revise(minute, close)
    with app_engine(database) as engine:
        found = compare_with_venue(engine, STRATEGY, [1], (T0, T0 + 10 * MINUTE), known_seq=8)
        assert found._asdict() == {
            "compared": 7, "differing": 3, "repaired": 1, "only_ours": 2,
            "examples": ["BTC 2026-03-01T00:02Z", "BTC 2026-03-01T00:03Z", "BTC 2026-03-01T00:05Z"],
        }  # fmt: skip
        # What was repaired before is no repair of this load.
        assert compare_with_venue(engine, STRATEGY, [1], (T0, T0 + 10 * MINUTE), known_seq=9).repaired == 0
