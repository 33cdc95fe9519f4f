"""Tells in plain words what a backfill did."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from strandline.cycle.runs import Summary

_SHOWN: Final = 5


def in_words(summary: "Summary") -> "Iterator[str]":
    """A line for each thing that is worth telling, what was asked for first.

    Files of a venue have some rows of the hours beside them: they are not refused, they belong to another day.
    """
    from strandline.history.units import OUTSIDE  # not where a DAG is read: it loads the database's client

    units = ", ".join(f"{count:,} {outcome}" for outcome, count in summary["units"].items()) or "none"
    yield f"{summary['venue']}, {summary['source']}: {_some(summary['symbols'])}"
    yield f"units    {units}"
    yield (
        f"rows     {summary['stored']:,} stored, {summary['already_there']:,} there already, "
        f"{summary['changed']:,} with new numbers"
    )
    for reason, count in summary["refused"].items():
        yield f"{'others ' if reason == OUTSIDE else 'refused'}  {count:,} {reason}"
    if passed_over := summary["passed_over"]:
        names = _some(list(passed_over))
        yield f"others   {sum(passed_over.values()):,} rows of symbols that were not asked for: {names}"
    yield f"bars     {summary['bars']['new']:,} new, {summary['bars']['revised']:,} revised"
    if venue := summary["compared"]:
        yield (
            f"compared {venue['compared']:,} minutes with the venue's candles: {venue['differing']:,} differ, "
            f"{venue['repaired']:,} repaired; the venue has none of {venue['only_ours']:,} more"
        )
        if examples := venue["examples"]:
            yield f"differ   {', '.join(examples)}{' …' if venue['differing'] > len(examples) else ''}"
    if missing := summary["missing_hours"]:
        yield f"missing  {len(missing):,} hours have no file: {_some(missing)}"
    if missing := summary["missing_days"]:
        yield f"missing  {len(missing):,} days have no file of asset contexts: {_some(missing)}"
    for failure in summary["failures"]:
        yield f"failed   {failure}"


def _some(items: Sequence[str]) -> str:
    return ", ".join(items[:_SHOWN]) + (f" … {items[-1]}" if len(items) > _SHOWN else "")
