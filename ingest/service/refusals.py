"""What a device was last refused, and what to do about it: for the page on which a machine is connected."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from contracts import topics
from contracts.names import NAME_RULE, is_name
from ingest.domain.acceptance import clean_path
from ingest.service.quarantine import quarantine_page
from ingest.service.tables import EVERYONE, devices, refused_publishes
from plumbing.sql import Database

MAX_TOPICS = 100
"""Most topics that are kept apart for one account; others are counted under `(others)`."""
OTHERS = "(others)"
MAX_ACCOUNTS = 10_000
_LONGEST_NAME, _LONGEST_TOPIC = 129, 300

REMEDIES = {
    "malformed": "Send one JSON object with v, samples and in each sample t and values; compare with the example.",
    "wrong_type": "Send this value as a number, true, false or null, not as text or a list.",
    "not_finite": "Send null where there is no reading; NaN and Infinity are no readings.",
    "unknown_device": "Register the device with this tenant and name, or check the topic; it may have been revoked.",
    "unknown_signal": "Use the signal names of the device's asset model, or register the device with another model.",
    "unknown_unit": "Give the unit as a UCUM code, such as Cel, bar, mm/s or /min; or leave it out.",
    "wrong_unit": "This unit measures something else than the signal; check which signal the value belongs to.",
    "out_of_range": "The sensor cannot give this value: check wiring, scaling, unit, and the asset model's range.",
    "future": "The device's clock is ahead: set it by NTP, or leave t out.",
    "too_large": "Send fewer samples in one message: at most 1 MB.",
    "schema_version": "Send messages of version 1 (v: 1).",
    "store_refused": "The store will not have a reading this old, or of this kind: check the device's clock and the"
    " store's retention.",
    "wrong_secret": "Check user name and secret; a lost secret is replaced by a new one, it cannot be shown again.",
    "forbidden_topic": "A device may publish on its own topics only: forewarn/v1/TENANT/DEVICE/telemetry.",
}


@dataclass(frozen=True, slots=True)
class LastRefusal:
    """The newest refusal: `reason` is one of the contract's, or `wrong_secret`, or `forbidden_topic`."""

    reason: str
    where: str
    """Path in the message, or the topic."""
    at: datetime
    remedy: str


def count_refused_publish(database: Database, username: str, topic: str, now: datetime) -> None:
    """Count a publish that the broker dropped; topic "" is a sign-in that it refused. `now` is wall time."""
    count_refused(database, {(username, topic): 1}, now)


def count_refused(database: Database, counts: Mapping[tuple[str, str], int], now: datetime) -> None:
    """Count many at once: how often, by user name and topic."""
    with database.write() as connection:
        for (username, topic), times in counts.items():
            _count_one(connection, clean_path(username)[:_LONGEST_NAME], clean_path(topic)[:_LONGEST_TOPIC], times, now)


def _count_one(connection: sa.Connection, username: str, topic: str, times: int, now: datetime) -> None:
    if _count(connection, username, topic, times, now):
        return
    known = sa.select(sa.func.count()).select_from(refused_publishes)
    if int(connection.execute(known.where(refused_publishes.c.username == username)).scalar() or 0) >= MAX_TOPICS:
        topic = OTHERS
    if int(connection.execute(known).scalar() or 0) >= MAX_ACCOUNTS:
        username, topic = OTHERS, OTHERS
    if not _count(connection, username, topic, times, now):
        tenant = username.split("/")[0] if "/" in username else EVERYONE
        connection.execute(
            refused_publishes.insert().values(
                tenant=tenant[:64], username=username, topic=topic, count=times, last_at=now
            )
        )  # fmt: skip


def _count(connection: sa.Connection, username: str, topic: str, times: int, now: datetime) -> bool:
    done = connection.execute(
        refused_publishes.update()
        .where(refused_publishes.c.username == username, refused_publishes.c.topic == topic)
        .values(count=refused_publishes.c.count + times, last_at=now)
    )
    return done.rowcount > 0


def refused_publishes_of(database: Database, username: str) -> dict[str, int]:
    """How often the broker refused an account, by topic ("" = the sign-in)."""
    query = sa.select(refused_publishes.c.topic, refused_publishes.c.count).where(
        refused_publishes.c.username == username
    )
    with database.read() as connection:
        return {str(row[0]): int(row[1]) for row in connection.execute(query)}


def last_refusal(database: Database, tenant: str, device: str) -> LastRefusal | None:
    """The newest refusal of a device; None where there was none.

    A refusal by the broker carries wall time, one by ingest the tenant's: of both the broker's is given only while
    nothing has reached ingest, since who publishes on the wrong topic sends nothing that arrives.
    """
    with database.read() as connection:
        row = connection.execute(
            sa.select(devices.c.username, devices.c.last_seen).where(
                devices.c.tenant == tenant, devices.c.device == device
            )
        ).first()
        told = None
        if row is not None and row.last_seen is None:
            told = connection.execute(
                sa.select(refused_publishes.c.topic, refused_publishes.c.last_at)
                .where(refused_publishes.c.username == row.username)
                .order_by(refused_publishes.c.last_at.desc())
                .limit(1)
            ).first()
    if told is not None:
        if told.topic == "":
            return LastRefusal("wrong_secret", str(row.username) if row else "", told.last_at, REMEDIES["wrong_secret"])
        return LastRefusal("forbidden_topic", told.topic, told.last_at, _topic_remedy(tenant, device, told.topic))
    for kept in quarantine_page(database, tenant, device, limit=1):
        return LastRefusal(kept.reason, kept.path, kept.received_at, REMEDIES[kept.reason])
    return None


def _topic_remedy(tenant: str, device: str, topic: str) -> str:
    parts = topic.split("/")
    wanted = topics.topic(tenant, device, "telemetry")
    if len(parts) == 5 and not (is_name(parts[2]) and is_name(parts[3])):
        return f"Publish on {wanted}; a tenant's and a device's name is {NAME_RULE}."
    return f"Publish on {wanted}; a device may publish on its own topics only."
