"""When and by which way a customer may be told: consent, quiet hours, a cap a day, the next way after a bounce.

The web inbox is always the last way: it wakes nobody, so neither quiet hours nor the cap hold it up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

WEB = "web"
DAY = timedelta(days=1)


class Purpose(StrEnum):
    """What a contact can agree to, channel by channel."""

    FORECAST = "forecast"
    """What is forecast of his own machines, and its correction."""
    SERVICE = "service"
    """Answers and news of his cases."""
    SAFETY = "safety"
    SAFETY_AT_NIGHT = "safety_at_night"
    """Safety notices in his quiet hours, too."""
    SURVEY = "survey"


TOLD = (Purpose.FORECAST, Purpose.SERVICE, Purpose.SAFETY, Purpose.SURVEY)
"""What a message can be for."""


@dataclass(frozen=True, slots=True)
class Quiet:
    """Hours in which nothing may ring, by the contact's own clock; `start` = `end` is none. They may span midnight."""

    start: time
    end: time

    def at(self, local: time) -> bool:
        """Whether a time of day is quiet."""
        if self.start <= self.end:
            return self.start <= local < self.end
        return local >= self.start or local < self.end

    def until(self, zone: ZoneInfo, now: datetime) -> datetime:
        """The first time from `now` on that is not quiet (aware UTC)."""
        at = now
        for _ in range(4):  # a clock that is put back may lead into the same hours again
            local = at.astimezone(zone)
            if not self.at(local.time()):
                return at
            end = datetime.combine(local.date(), self.end, zone)
            if end.timestamp() <= at.timestamp():
                end = end.replace(fold=1)
            if end.timestamp() <= at.timestamp():
                end = datetime.combine(local.date() + DAY, self.end, zone)
            at = end.astimezone(UTC)
        return at


NO_QUIET = Quiet(time(0), time(0))


@dataclass(frozen=True, slots=True)
class Way:
    """A way to a contact that leaves the product, the preferred one first."""

    channel: str
    address: str
    bounced: str = ""
    """Why nothing gets there any more; empty = it does, as far as is known."""


@dataclass(frozen=True, slots=True)
class Contact:
    """Whom to tell. `consents` holds what he said by (purpose, channel); what he did not say is no."""

    zone: ZoneInfo
    quiet: Quiet = NO_QUIET
    ways: tuple[Way, ...] = ()
    consents: Mapping[tuple[str, str], bool] = field(default_factory=dict)
    cap_per_day: int = 4
    """So many messages within 24 hours; 0 = only the web inbox. Safety notices are not counted out."""

    def agreed(self, purpose: Purpose, channel: str) -> bool:
        """Whether he agreed."""
        return self.consents.get((purpose, channel), False)


@dataclass(frozen=True, slots=True)
class Told:
    """Something that has left, or is about to."""

    key: str
    channel: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be told. `key` names it: the same is never told twice. `tried` = ways that failed for it."""

    key: str
    purpose: Purpose
    not_before: datetime | None = None
    tried: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class SendBy:
    """Tell it now by this channel; `others` says why not by those before."""

    channel: str
    address: str = ""
    others: str = ""


@dataclass(frozen=True, slots=True)
class HoldUntil:
    """Tell nothing before `until`, because of `why`; then ask again."""

    until: datetime
    why: str


@dataclass(frozen=True, slots=True)
class ToldAlready:
    """He knows."""

    channel: str


Decision = SendBy | HoldUntil | ToldAlready


def decide(wanted: Wanted, contact: Contact, told: Sequence[Told], now: datetime) -> Decision:
    """What the rules say now. `told` is what went to this contact, at least of the last day and of this key."""
    before = next((t for t in told if t.key == wanted.key and t.channel not in wanted.tried), None)
    if before is not None:
        return ToldAlready(before.channel)
    if wanted.not_before is not None and now < wanted.not_before:
        return HoldUntil(wanted.not_before, "it can still be stopped until then")
    way, others = choose(wanted, contact)
    if way is None:
        return SendBy(WEB, others=others)
    if contact.cap_per_day == 0 and wanted.purpose is not Purpose.SAFETY:
        return SendBy(WEB, others=f"{way.channel}: he wants no message a day")
    at, why = now, ""
    while True:
        free = quiet_until(wanted.purpose, contact, way.channel, at)
        if free > at:
            at, why = free, why or "quiet hours"
        full = _cap(wanted, contact, told, at)
        if full is None:
            break
        at, why = full, why or f"already {contact.cap_per_day} within a day"
    if at > now:
        return HoldUntil(at, why)
    return SendBy(way.channel, way.address, others)


def choose(wanted: Wanted, contact: Contact) -> tuple[Way | None, str]:
    """The first way that he agreed to and that works; None = the web inbox alone. And why not those before it."""
    refused = []
    for way in contact.ways:
        if way.channel in wanted.tried:
            refused.append(f"{way.channel}: tried in vain")
        elif way.bounced:
            refused.append(f"{way.channel}: {way.bounced}")
        elif not contact.agreed(wanted.purpose, way.channel):
            refused.append(f"{way.channel}: no consent for {wanted.purpose}")
        else:
            return way, "; ".join(refused)
    return None, "; ".join(refused)


def quiet_until(purpose: Purpose, contact: Contact, channel: str, now: datetime) -> datetime:
    """The first time from `now` on at which he may be told."""
    if purpose is Purpose.SAFETY and contact.agreed(Purpose.SAFETY_AT_NIGHT, channel):
        return now
    return contact.quiet.until(contact.zone, now)


def _cap(wanted: Wanted, contact: Contact, told: Sequence[Told], now: datetime) -> datetime | None:
    """When the cap lets the next one pass; None = now."""
    if wanted.purpose is Purpose.SAFETY:
        return None
    lately = sorted(t.at for t in told if t.channel != WEB and t.at > now - DAY)
    if len(lately) < contact.cap_per_day:
        return None
    return lately[-contact.cap_per_day] + DAY
