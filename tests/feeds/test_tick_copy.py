"""What is encoded for COPY arrives in the table as it was."""

import asyncio
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strandline.feeds.dirty_minutes import minutes_of
from strandline.feeds.tick_copy import encode
from strandline.model.instants import from_microseconds, microseconds
from strandline.store.connect_async import connect_async
from strandline.store.roles import Role
from strandline.venues.feed import TickRow
from strandline.venues.packed_ticks import KEY_BYTES, join, keys, pack, pack_row, unpack
from tests.conftest import Database
from tests.feeds.environment import START

NUMBERS = st.floats(min_value=0, exclude_min=True, allow_infinity=False)
KEYS = st.tuples(
    st.integers(microseconds(START), microseconds(START + timedelta(hours=1))),
    st.integers(1, 2**31 - 1),
    st.integers(0, 2**63 - 1),
)
TRADES = st.tuples(NUMBERS, NUMBERS, st.sampled_from([b"b", b"s"]), st.just(b"t"), st.sampled_from([b"s", b"r"]))
PRICES = st.tuples(NUMBERS, st.none(), st.none(), st.just(b"p"), st.sampled_from([b"s", b"r"]))
TICKS = st.builds(lambda key, rest: (*key, *rest), KEYS, TRADES | PRICES)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(TICKS, max_size=20, unique_by=lambda tick: tick[:3]))
def test_copied_ticks_are_stored_as_they_are(database: Database, ticks: list[TickRow]) -> None:
    async def inside() -> list[Any]:
        connection = await connect_async(database.url, Role.INGEST)
        await connection.execute("CREATE TEMP TABLE copied (LIKE ticks INCLUDING CONSTRAINTS)")
        await connection.copy_to_table("copied", source=memoryview(encode(pack(ticks))), format="binary")
        found = await connection.fetch("SELECT * FROM copied")
        await connection.close()
        return [(microseconds(row[0]), *row[1:]) for row in found]

    assert sorted(asyncio.run(inside())) == sorted(ticks)


@given(st.lists(KEYS, max_size=20))
def test_the_minutes_of_ticks_are_those_of_the_calendar(keys: list[tuple[int, int, int]]) -> None:
    moments = [(number, from_microseconds(ts)) for ts, number, _ in keys]
    assert minutes_of(pack([(*key, 1.0, 1.0, b"b", b"t", b"s") for key in keys])) == {
        (number, moment.replace(second=0, microsecond=0)) for number, moment in moments
    }
    assert [microseconds(moment) for _, moment in moments] == [key[0] for key in keys]


@given(st.lists(TICKS, max_size=20))
def test_packed_ticks_are_unpacked_as_they_were(ticks: list[TickRow]) -> None:
    packed = pack(ticks)
    assert unpack(packed) == ticks
    assert unpack(join([pack_row(row) for row in ticks])) == ticks
    assert keys(packed) == [pack_row(row)[:KEY_BYTES] for row in ticks]
    assert len(set(keys(packed))) == len({row[:3] for row in ticks})
