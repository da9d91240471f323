"""The facts of a service report: what the pages are made from, and what is attached to them."""

from datetime import UTC, datetime

import msgspec


class Step(msgspec.Struct, frozen=True):
    """A step of the checklist: state, what was measured, the limits."""

    n: int
    text: str
    state: str
    result: str
    value: float | None = None
    unit: str = ""
    low: float | None = None
    high: float | None = None
    by: str = ""


class Found(msgspec.Struct, frozen=True):
    """What the technician found."""

    at: datetime
    by: str
    verdict: str
    mode: str
    as_found: str
    replaced: bool
    serial: str


class Track(msgspec.Struct, frozen=True):
    """A signal around the job, in buckets; the mean of the day before and of the day after; None = no readings."""

    title: str
    unit: str
    usual: float | None
    before: float | None
    after: float | None
    start: datetime
    end: datetime
    t: list[float]
    mean: list[float]
    low: list[float]
    high: list[float]


class Picture(msgspec.Struct, frozen=True):
    """An attached photo or signature, by the SHA-256 of its bytes."""

    purpose: str
    name: str
    who: str
    at: datetime
    media_type: str
    sha256: str


class ServiceRecord(msgspec.Struct, frozen=True):
    """All that the report shows. `as_of`: the newest change that it knows."""

    v: int
    tenant: str
    order: str
    title: str
    state: str
    kind: str
    company: str
    phone: str
    customer: str
    site: str
    address: str
    time_zone: str
    asset: str
    asset_name: str
    serial: str
    model: str
    component: str
    remedy: str
    part: str
    technician: str
    opened_at: datetime
    visit_start: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    ended_at: datetime | None
    as_of: datetime
    forecast: list[str]
    steps: list[Step]
    findings: list[Found]
    tracks: list[Track]
    pictures: list[Picture]


def local(at: datetime, zone: str) -> datetime:
    """A time where the machine stands; UTC where the zone is not known."""
    from zoneinfo import ZoneInfo

    try:
        return at.astimezone(ZoneInfo(zone))
    except (KeyError, ValueError, OSError):
        return at.astimezone(UTC)
