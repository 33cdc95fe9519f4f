"""Finds the days whose ticks maintenance has moved to files: with them away, bars cannot be built anew."""

from pathlib import Path

from strandline.cycle.backfill_instruments import Instruments
from strandline.cycle.backfill_request import BackfillRequest
from strandline.history.units import DaysInFiles
from strandline.retention.tick_archive import TickArchive
from strandline.store.connect_async import Connection


async def days_in_files(
    connection: Connection, archive: Path, request: BackfillRequest, instruments: Instruments
) -> DaysInFiles:
    """The days of these instruments that are in files and were not restored."""
    numbers = set(instruments.numbers.values())
    moved = {
        (number, file.day)
        for file in TickArchive(archive).files()
        for number in numbers & file.instruments.keys()
        if request.starts_at.date() <= file.day <= request.ends_at.date()
    }
    restored = await connection.fetch(
        """
        SELECT number, day FROM unnest($1::integer[], $2::date[]) AS moved (number, day)
        WHERE EXISTS (SELECT FROM ticks WHERE instrument_id = number AND ts >= day AND ts < day + 1)
        """,
        [number for number, _ in moved],
        [day for _, day in moved],
    )
    return moved - {(row["number"], row["day"]) for row in restored}
