"""Ends intents without an order."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from strandline.execution.intents import OutboxIntent, advance, read, read_open, read_unsent
from strandline.execution.strands import record_skips
from strandline.model.intent import IntentStatus
from strandline.model.venue import VenueKey


def skip(
    connection: Connection,
    waiting: Sequence[OutboxIntent],
    reason: str,
    *,
    now: datetime,
    code_version: str,
    detail: str = "",
) -> tuple[UUID, ...]:
    """Skip these intents, except those that another process has claimed; return the skipped ones' ids.

    `reason` is a code, `detail` is for people and stored with the strand only. All intents are locked before the head
    of any chain: in another order two processes could deadlock.
    """
    ended = [planned for planned in waiting if advance(connection, planned, IntentStatus.SKIPPED, now, reason)]
    record_skips(connection, ended, f"{reason}: {detail}" if detail else reason, now, code_version)
    return tuple(planned.intent.intent_id for planned in ended)


def cancel(
    connection: Connection, intent_ids: Iterable[UUID], reason: str, *, now: datetime, code_version: str
) -> tuple[UUID, ...]:
    """Skip those of the intents that no executor has claimed; return their ids.

    It locks the heads of their venues' chains, so call it last in a transaction.
    """
    planned = [found for found in read(connection, intent_ids) if found.status is IntentStatus.PLANNED]
    return skip(connection, planned, reason, now=now, code_version=code_version)


def skip_expired(connection: Connection, venue: VenueKey, *, now: datetime, code_version: str) -> int:
    """Skip the venue's expired intents that have no order, claimed or not; return their number."""
    late = [planned for planned in read_unsent(connection, venue) if planned.intent.expires_at <= now]
    return len(skip(connection, late, "expired", now=now, code_version=code_version))


def skip_unknown_venues(
    connection: Connection, *, known: Collection[VenueKey], now: datetime, code_version: str
) -> int:
    """Skip the intents of venues that have no executor; return their number."""
    unsent = [planned for planned in read_open(connection) if planned.status.unsent]
    orphans = [planned for planned in unsent if planned.intent.venue not in known]
    return len(skip(connection, orphans, "no_executor", now=now, code_version=code_version))
