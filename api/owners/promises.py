"""What is promised, and how it stands: SLA clocks, the policy, calendars; answered from work_orders."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from api.owners.commands import actor_of, refusals
from api.problems import Problem, bad_field
from api.roles import Principal
from plumbing.runtime import Shared
from work_orders.domain.calendars import BUILT_IN, Hours
from work_orders.domain.sla import SlaPolicy
from work_orders.queries.paging import LIMIT, Page
from work_orders.queries.sla import Attainment, ClockRow, attainment, clocks, recomputing, running_clocks
from work_orders.service import sla_settings
from work_orders.service import tables as t
from work_orders.service.sla import case_clock_action
from work_orders.service.sla_book import SlaBook, book_of
from work_orders.service.sla_settings import Preview

KINDS = ("report", "breakdown", "complaint", "forecast", "phone", "email", "external", "recall", "preventive")
PRIORITIES = ("normal", "high", "urgent")


@dataclass(frozen=True, slots=True)
class CalendarView:
    """A calendar; `built_in` ones are there from the start and can be overwritten."""

    name: str
    hours: Hours
    built_in: bool


@dataclass(frozen=True, slots=True)
class SiteHours:
    """Where a site's hours come from."""

    id: str
    name: str
    time_zone: str
    country: str
    calendar: str


class Promises:
    """Questions and commands about promises. Commands raise Problem."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def _now(self, who: Principal) -> datetime:
        return self._shared.clocks.of(who.tenant).now()

    def clocks(self, who: Principal, cases: Collection[str]) -> list[ClockRow]:
        """Clocks of some cases, what is due next first."""
        with self._shared.database.read() as connection:
            return clocks(connection, who.tenant, self._now(who), cases)

    def running(self, who: Principal, after: str = "", limit: int = LIMIT) -> Page[ClockRow]:
        """Clocks that run, what is due next first."""
        with self._shared.database.read() as connection:
            return running_clocks(connection, who.tenant, self._now(who), after=after, limit=limit)

    def kept(self, who: Principal) -> list[Attainment]:
        """How many promises were kept."""
        with self._shared.database.read() as connection:
            return attainment(connection, who.tenant)

    def recomputing(self, who: Principal) -> int:
        """How many cases have promises that are being worked out again."""
        with self._shared.database.read() as connection:
            return recomputing(connection, who.tenant)

    def book(self, who: Principal) -> SlaBook:
        """The policy and all calendars."""
        with self._shared.database.read() as connection:
            return book_of(connection, who.tenant)

    def calendars(self, who: Principal) -> list[CalendarView]:
        """All calendars by name."""
        hours = self.book(who).hours
        return [CalendarView(name, hours[name], hours[name] == BUILT_IN.get(name)) for name in sorted(hours)]

    def sites(self, who: Principal) -> list[SiteHours]:
        """All sites by name."""
        c = t.sites.c
        with self._shared.database.read() as connection:
            rows = connection.execute(
                sa.select(c.id, c.name, c.time_zone, c.country, c.calendar)
                .where(c.tenant == who.tenant)
                .order_by(c.name)
            )
            return [SiteHours(*r) for r in rows]

    def preview(
        self, who: Principal, *, kind: str, tier: str = "", priority: str = "normal", site: str = "",
        policy: dict[str, Any] | None = None,
    ) -> list[Preview]:  # fmt: skip
        """What a case that is opened now would be held to."""
        with refusals(), self._shared.database.read() as connection:
            return sla_settings.preview(
                connection, who.tenant, self._now(who), kind=kind, tier=tier, priority=priority, site_id=site,
                policy=None if policy is None else policy_from(policy),
            )  # fmt: skip

    def set_policy(self, who: Principal, policy: SlaPolicy, version: int | None = None) -> int:
        """A new version of the policy."""
        with refusals():
            return sla_settings.set_sla_policy(
                self._shared, who.tenant, policy, actor_of(self._shared, who), version=version
            )

    def set_calendar(self, who: Principal, name: str, hours: Hours) -> None:
        """Keep a calendar."""
        with refusals():
            sla_settings.set_calendar(self._shared, who.tenant, name, hours, actor_of(self._shared, who))

    def set_site(self, who: Principal, site: str, country: str | None, calendar: str | None) -> None:
        """A site's country and calendar."""
        with refusals():
            actor = actor_of(self._shared, who)
            sla_settings.set_site_hours(self._shared, who.tenant, site, actor, country=country, calendar=calendar)

    def set_tier(self, who: Principal, customer: str, tier: str) -> None:
        """A customer's tier."""
        with refusals():
            sla_settings.set_tier(self._shared, who.tenant, customer, tier, actor_of(self._shared, who))

    def act(self, who: Principal, case: str, action: str, reason: str) -> list[ClockRow]:
        """`answered`, `taken`, `wait`, `go-on`; the case's clocks afterwards."""
        with refusals():
            case_clock_action(self._shared, who.tenant, case, action, actor_of(self._shared, who), reason=reason)
        return self.clocks(who, [case])


def policy_from(body: dict[str, Any]) -> SlaPolicy:
    """A policy as JSON. Raises Problem."""
    try:
        return msgspec.convert(body, SlaPolicy)
    except msgspec.ValidationError as no:
        raise Problem(422, f"policy: {no}", field="policy", rule=str(no)) from no


def hours_from(week: dict[str, str], *, time_zone: str, country: str, exceptions: str) -> Hours:
    """A calendar as the form gives it: `08:00-12:00, 13:00-17:00`; exceptions one a line, `2026-12-24: 08:00-12:00`."""

    def split(words: str) -> list[str]:
        return [w.strip() for w in words.split(",") if w.strip()]

    days = {}
    for line in exceptions.splitlines():
        if not line.strip():
            continue
        day, colon, words = line.partition(":")
        if not colon:
            raise bad_field("exceptions", line[:100], "one day a line, such as 2026-12-24: 08:00-12:00")
        days[day.strip()] = [] if words.strip() in ("", "closed") else split(words)
    return Hours({d: split(w) for d, w in week.items() if split(w)}, time_zone.strip(), country.strip(), days)
