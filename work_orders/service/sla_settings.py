"""What is promised, and the hours that count: policy versions, calendars, a site's hours, a customer's tier."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa

from contracts.names import NAME_RULE, is_name
from plumbing.runtime import Shared
from work_orders.domain.calendars import FURTHEST, STANDARD, BadCalendar, Calendar, Hours
from work_orders.domain.machine import Actor, NotPermitted, Role
from work_orders.domain.sla import Clock, Metric, Rule, SlaPolicy
from work_orders.service import sla_tables as s
from work_orders.service import tables as t
from work_orders.service.errors import BadInput, Stale
from work_orders.service.installed_base import zone
from work_orders.service.public_holidays import check_country, holidays_of
from work_orders.service.sla import follow_all
from work_orders.service.sla_book import SlaBook, book_of
from work_orders.service.unit import unit

MAX_RULES, MAX_STEPS = 200, 10
LONGEST_MINUTES = 366 * 24 * 60
_MAY = (Role.ADMIN, Role.SYSTEM)


def _may(actor: Actor, what: str) -> None:
    if actor.role not in _MAY:
        raise NotPermitted(actor.role, what, _MAY)


def set_sla_policy(shared: Shared, tenant: str, policy: SlaPolicy, actor: Actor, *, version: int | None = None) -> int:
    """Make a new version of the policy; clocks that run are worked out again from their segments. Returns the version.

    `version` is the one that the caller saw. What is met or breached already stays as it was judged. Raises
    NotPermitted, BadInput, Stale.
    """
    _may(actor, "set what is promised")
    with unit(shared, tenant, actor) as work:
        book = book_of(work.connection, tenant)
        if version is not None and version != book.version:
            raise Stale("the policy", version, book.version)
        check_policy(policy, book)
        made = book.version + 1
        body = msgspec.json.encode(policy).decode()
        work.insert(s.policies, version=made, body=body, at=work.now, actor=actor.name)
        changed = follow_all(work)
        text = f"{actor.name} set version {made} of what is promised; {changed} open cases follow it."
        work.record("sla_policy_set", "", f"sla-{made}", text, rules=len(policy.rules))
        return made


def check_policy(policy: SlaPolicy, book: SlaBook) -> None:
    """Raises BadInput."""
    if len(policy.rules) > MAX_RULES:
        raise BadInput("rules", f"at most {MAX_RULES}")
    for n, rule in enumerate(policy.rules, 1):
        target = rule.target
        if not 0 <= target.minutes <= LONGEST_MINUTES:
            raise BadInput(f"rules.{n}.minutes", f"0 (nothing is promised) to {LONGEST_MINUTES}")
        if target.calendar and target.calendar not in book.hours:
            raise BadInput(f"rules.{n}.calendar", f"there is no calendar {target.calendar!r}")
        if len(target.steps) > MAX_STEPS:
            raise BadInput(f"rules.{n}.steps", f"at most {MAX_STEPS}")
        for step in target.steps:
            fine = 0 < step.share <= 1 and 0 <= step.after_minutes <= LONGEST_MINUTES
            if not fine or not step.who.strip() or len(step.who) > 64:
                raise BadInput(f"rules.{n}.steps", "name who is told; a share above 0 up to 1, minutes from 0")
            if step.after_minutes and step.share < 1:
                raise BadInput(f"rules.{n}.steps", "minutes count from the deadline: leave the share at 1")


def set_calendar(shared: Shared, tenant: str, name: str, hours: Hours, actor: Actor) -> None:
    """Keep a calendar; clocks that run are worked out again. Raises NotPermitted, BadInput."""
    _may(actor, "set a calendar")
    if not is_name(name):
        raise BadInput("name", f"{name!r} must be {NAME_RULE}")
    check_hours(hours)
    body = msgspec.json.encode(hours).decode()
    with unit(shared, tenant, actor) as work:
        values = {"body": body, "at": work.now, "actor": actor.name}
        if not work.insert_new(s.calendars, name=name, **values):
            work.update(s.calendars, {"name": name}, **values)
        follow_all(work)
        work.record(
            "calendar_set", "", name, f"{actor.name} set the hours of {name}.", hours=msgspec.to_builtins(hours)
        )


def check_hours(hours: Hours) -> None:
    """Raises BadInput."""
    if hours.time_zone:
        zone(hours.time_zone)
    check_country(hours.country)
    try:
        hours.calendar(ZoneInfo("UTC"), holidays_of(""))
    except BadCalendar as no:
        raise BadInput(no.field, no.rule) from no


def set_site_hours(
    shared: Shared, tenant: str, site_id: str, actor: Actor, *, country: str | None = None, calendar: str | None = None
) -> None:
    """Say in which country a site is (for its holidays), and which calendar is its own. Raises BadInput, NotFound."""
    _may(actor, "set a site's hours")
    with unit(shared, tenant, actor) as work:
        site = work.one(t.sites, site_id, "site")
        values: dict[str, Any] = {}
        if country is not None:
            check_country(country)
            values["country"] = country
        if calendar is not None:
            if calendar and calendar not in book_of(work.connection, tenant).hours:
                raise BadInput("calendar", f"there is no calendar {calendar!r}")
            values["calendar"] = calendar
        if values:
            work.update(t.sites, {"id": site_id}, **values)
            follow_all(work, site=site_id)
            work.record("site_hours_set", "", site_id, f"{actor.name} set the hours of {site.name}.", **values)


def set_tier(shared: Shared, tenant: str, customer_id: str, tier: str, actor: Actor) -> None:
    """Say which tier of service a customer has ("" = as everybody). Raises BadInput, NotFound."""
    _may(actor, "set a customer's tier")
    if tier and not is_name(tier):
        raise BadInput("tier", f"{tier!r} must be {NAME_RULE}")
    with unit(shared, tenant, actor) as work:
        customer = work.one(t.customers, customer_id, "customer")
        work.update(t.customers, {"id": customer_id}, tier=tier)
        follow_all(work, customer=customer_id)
        text = f"{customer.name} has the tier {tier}." if tier else f"{customer.name} has no tier of its own."
        work.record("tier_set", "", customer_id, text, tier=tier)


@dataclass(frozen=True, slots=True)
class Preview:
    """When something that begins now would be due."""

    metric: str
    minutes: float
    calendar: str
    due_at: datetime | None
    steps: tuple[tuple[str, str, datetime], ...]
    """Who, when in words, when."""


def preview(
    connection: sa.Connection, tenant: str, now: datetime, *, kind: str = "report", tier: str = "",
    priority: str = "normal", site_id: str = "", policy: SlaPolicy | None = None,
) -> list[Preview]:  # fmt: skip
    """What a case that is opened now is held to, under the policy in force or another one. Raises BadInput."""
    book = book_of(connection, tenant)
    if policy is not None:
        check_policy(policy, book)
        book = replace(book, policy=policy)
    row = connection.execute(sa.select(t.sites).where(t.sites.c.tenant == tenant, t.sites.c.id == site_id)).first()
    if site_id and row is None:
        raise BadInput("site", f"there is no site {site_id!r}")
    place = (row.time_zone, row.country, row.calendar) if row is not None else ("UTC", "", "")
    made = []
    for metric in Metric:
        target = book.policy.target(metric, kind, tier, priority)
        if target is not None:
            clock = Clock(target, book.calendar(target.calendar, *place), now)
            steps = tuple((step.who, step.words(), at) for _, step, at in clock.escalations())
            name = target.calendar or place[2] or STANDARD
            made.append(Preview(metric, target.minutes, name, clock.due, steps))
    return made


def opening_words(calendar: Calendar, now: datetime, days: int = 7) -> list[tuple[datetime, datetime]]:
    """When a calendar is open within the next days, on its own clock."""
    found = calendar.open(now, now + min(FURTHEST, timedelta(days=days)))
    return [(i.start.astimezone(calendar.zone), i.end.astimezone(calendar.zone)) for i in found]


def without_rule(policy: SlaPolicy, n: int) -> SlaPolicy:
    """The policy without its n-th rule, counted from 1. Raises BadInput."""
    if not 1 <= n <= len(policy.rules):
        raise BadInput("rule", f"{n} is none of the {len(policy.rules)} rules")
    return SlaPolicy(policy.rules[: n - 1] + policy.rules[n:])


def with_rule(policy: SlaPolicy, rule: Rule) -> SlaPolicy:
    """The policy with a rule; it takes the place of the one about the same cases."""

    def about(r: Rule) -> tuple[str, str, str, str]:
        return r.target.metric, r.kind, r.tier, r.priority

    return SlaPolicy((*(r for r in policy.rules if about(r) != about(rule)), rule))
