"""`strandline maintenance`: keeps house."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from strandline.retention.archiving import ArchivedDay


def maintenance() -> None:
    """Make the partitions of ticks for the coming week, and move old days of ticks to files.

    Airflow does the same every day (the DAG `maintenance`). Days older than STRANDLINE_TICK_RETENTION_DAYS become
    Parquet files in STRANDLINE_ARCHIVE_DIR; each file is read back and compared with the database before the day is
    dropped. A day that somebody is reading is left for the next time. It may be killed at any instant and run again.

    `strandline data status` shows what there is, `strandline data restore` brings days back.
    """
    from strandline.cycle.maintenance import archive_ticks, make_partitions

    print(f"{make_partitions()['made']} tick partitions were made.")
    summary = archive_ticks(lambda day: print(_in_words(day), flush=True))
    if not summary["days"]:
        print(f"No ticks are from before {summary['before']}.")


def _in_words(done: "ArchivedDay") -> str:
    from strandline.retention.days import Dropping

    outcomes = {
        Dropping.DROPPED: "dropped from the database",
        Dropping.GONE: "dropped by somebody else",
        Dropping.BUSY: "in use, so it is dropped the next time",
        Dropping.GREW: "more ticks came in, so it is archived again the next time",
    }
    if not done.rows:
        archived = "no ticks"
    else:
        archived = f"{done.rows:,} ticks {'written to a file' if done.written else 'in a file already'}"
    return f"{done.day}  {archived}; {outcomes[done.dropping]}"
