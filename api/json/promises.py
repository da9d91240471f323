"""SLA clocks, the policy, calendars and preventive plans for programs."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends
from pydantic import AwareDatetime, Field
from starlette.responses import Response

from api.guard import Who
from api.json.answers import answer, wanting
from api.json.commands import Body
from api.json.headers import Key, Match
from api.owners.plans import Plans, spec_from
from api.owners.promises import KINDS, PRIORITIES, Promises, policy_from
from api.owners.versions import CALENDAR, CASE, SITE, TIER, expect, numbered
from api.ports import Wanted
from api.problems import bad_field, not_found
from api.web import Web
from work_orders.domain.calendars import Hours
from work_orders.queries.paging import Page

Name = Annotated[str, Field(max_length=64)]
Want = Annotated[Wanted, Depends(wanting(()))]


class PolicyBody(Body):
    """Rules: `{rules: [{kind, tier, priority, target: {metric, minutes, calendar, pauses, steps}}]}`."""

    rules: list[dict[str, Any]] = Field(max_length=200)


class PreviewBody(Body):
    """A case that is opened now; with `policy` under that one, which is not kept."""

    kind: Name = "report"
    tier: Name = ""
    priority: Name = "normal"
    site: Name = ""
    policy: PolicyBody | None = None


class CalendarBody(Body):
    """Hours by weekday (`mon` ... `sun`), such as `["08:00-12:00", "13:00-17:00"]`; "" = as at the site."""

    week: dict[str, list[str]]
    time_zone: Name = ""
    country: Annotated[str, Field(max_length=16)] = ""
    exceptions: dict[str, list[str]] = Field(default_factory=dict)


class SiteHoursBody(Body):
    """Where a site is (`DE`, `DE-BY`, `-` = no holidays) and its own calendar."""

    country: Annotated[str, Field(max_length=16)] | None = None
    calendar: Name | None = None


class TierBody(Body):
    """A customer's tier of service; "" = as everybody."""

    tier: Name


class ClockActionBody(Body):
    """`wait` takes a reason: customer, access, weather, parts, safety."""

    reason: Name = ""


class PlanBody(Body):
    """A preventive plan: `every_days` or `every_months`, `every_hours` of running, `when` a reading calls for it."""

    title: Annotated[str, Field(max_length=200)]
    tasks: list[Annotated[str, Field(max_length=400)]]
    every_days: int = 0
    every_months: int = 0
    every_hours: float = 0
    when: dict[str, Any] | None = None
    fixed: bool = False
    grace_before_days: float = 14
    grace_after_days: float = 14
    lead_days: float = 7
    skill: Name = ""
    minutes: int = 60
    begins: AwareDatetime | None = None


class ReadingBody(Body):
    """What a meter showed, such as `running_hours`; now unless `at` says otherwise."""

    meter: Name
    value: float
    at: AwareDatetime | None = None


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""
    of, root = Promises(web.shared), "/api/v1"

    @router.get(f"{root}/sla", tags=["promises"], summary="SLA clocks that run, what is due next first")
    def running(who: Who, want: Want, case: str = "") -> Response:
        page = Page(tuple(of.clocks(who, [case])), None) if case else of.running(who, want.after, want.limit)
        more = {"kept": of.kept(who), "recomputing": of.recomputing(who)}
        return answer({"items": page.items, "next": page.next, **more})

    @router.get(f"{root}/sla/policy", tags=["promises"], summary="What is promised; version 0 = the default")
    def policy(who: Who) -> Response:
        book = of.book(who)
        return answer({"version": book.version, "rules": book.policy.rules})

    @router.post(f"{root}/sla/policy", tags=["promises"], summary="A new version; clocks are worked out again")
    def set_policy(who: Who, body: PolicyBody, match: Match) -> Response:
        version = of.set_policy(who, policy_from(body.model_dump()), match)
        return answer({"version": version, "rules": of.book(who).policy.rules}, 201)

    @router.post(f"{root}/sla/preview", tags=["promises"], summary="When a case that is opened now would be due")
    def preview(who: Who, body: PreviewBody) -> Response:
        _one_of("kind", body.kind, KINDS)
        _one_of("priority", body.priority, PRIORITIES)
        given = None if body.policy is None else body.policy.model_dump()
        found = of.preview(
            who, kind=body.kind, tier=body.tier, priority=body.priority, site=body.site, policy=given
        )  # fmt: skip
        return answer({"items": found, "next": None})

    @router.get(f"{root}/calendars", tags=["promises"], summary="Opening hours by name")
    def calendars(who: Who) -> Response:
        return answer({"items": numbered(web.shared.database, CALENDAR, who, of.calendars(who), "name"), "next": None})

    @router.post(f"{root}/calendars/{{calendar}}", tags=["promises"], summary="Keep a calendar")
    def set_calendar(who: Who, calendar: str, body: CalendarBody, match: Match) -> Response:
        expect(CALENDAR, match, who, calendar)
        of.set_calendar(who, calendar, msgspec.convert(body.model_dump(), Hours))
        found = [c for c in of.calendars(who) if c.name == calendar]
        return answer(numbered(web.shared.database, CALENDAR, who, found, "name")[0])

    @router.get(f"{root}/sites", tags=["promises"], summary="Sites: where their hours come from")
    def sites(who: Who) -> Response:
        return answer({"items": numbered(web.shared.database, SITE, who, of.sites(who), "id"), "next": None})

    @router.post(f"{root}/sites/{{site}}/hours", tags=["promises"], summary="A site's country and calendar")
    def site_hours(who: Who, site: str, body: SiteHoursBody, match: Match) -> Response:
        expect(SITE, match, who, site)
        of.set_site(who, site, body.country, body.calendar)
        found = [s for s in of.sites(who) if s.id == site]
        return answer(numbered(web.shared.database, SITE, who, found, "id")[0])

    @router.post(f"{root}/customers/{{customer}}/tier", tags=["promises"], summary="A customer's tier of service")
    def tier(who: Who, customer: str, body: TierBody, match: Match) -> Response:
        expect(TIER, match, who, customer)
        of.set_tier(who, customer, body.tier)
        return answer({"customer": customer, "tier": body.tier})

    @router.post(
        f"{root}/cases/{{case}}/clock/{{action}}", tags=["promises"],
        summary="Answered, somebody sees to it, it waits, it goes on: answered, taken, wait, go-on",
    )  # fmt: skip
    def act(who: Who, case: str, action: str, match: Match, body: ClockActionBody | None = None) -> Response:
        expect(CASE, match, who, case)
        return answer({"items": of.act(who, case, action, body.reason if body else ""), "next": None})

    _plans(web, router, root)


def _plans(web: Web, router: APIRouter, root: str) -> None:
    of = Plans(web.shared)

    @router.get(f"{root}/plans", tags=["promises"], summary="Preventive plans, what is due next first")
    def listed(who: Who, want: Want, ended: bool = False) -> Response:
        page = of.plans(who, want.asset or None, ended=ended, after=want.after, limit=want.limit)
        return answer({"items": page.items, "next": page.next})

    @router.post(
        f"{root}/assets/{{asset}}/plans", tags=["promises"],
        summary="Make a preventive plan; the same Idempotency-Key again gives the same plan",
    )  # fmt: skip
    def make(who: Who, asset: str, body: PlanBody, key: Key = "") -> Response:
        given = body.model_dump(exclude_none=True)
        begins: datetime | None = given.pop("begins", None)
        return answer(of.make(who, asset, spec_from(given), begins, key), 201)

    @router.post(
        f"{root}/assets/{{asset}}/plans/suggested", tags=["promises"], summary="Make the plans that its model suggests"
    )
    def take_up(who: Who, asset: str) -> Response:
        found = web.owners.asset(who, asset)
        if found is None:
            raise not_found("machine")
        return answer({"items": of.take_up(who, asset, found.model), "next": None}, 201)

    @router.post(f"{root}/plans/{{plan}}/{{action}}", tags=["promises"], summary="pause, resume, end")
    def move(who: Who, plan: str, action: str, match: Match) -> Response:
        return answer(of.move(who, plan, action, match))

    @router.post(f"{root}/assets/{{asset}}/readings", tags=["promises"], summary="What a meter showed")
    def read(who: Who, asset: str, body: ReadingBody) -> Response:
        if asset not in web.owners.mine(who):
            raise bad_field("asset", asset, "no machine of yours", 404)
        return answer({"items": of.read(who, asset, body.meter, body.value, body.at), "next": None}, 201)


def _one_of(field: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise bad_field(field, value, f"one of {', '.join(allowed)}")
