"""What is promised and how it stands; opening hours; preventive plans of all machines."""

import re
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from api.guard import Who
from api.json.promises import Want
from api.owners.plans import Plans, spec_of_form
from api.owners.promises import KINDS, PRIORITIES, Promises, hours_from
from api.problems import bad_field, not_found
from api.web import Web, back_to, local_address
from work_orders.domain.calendars import WEEKDAYS
from work_orders.domain.sla import Metric, Rule, Step, Target
from work_orders.service.sla_settings import with_rule, without_rule

HERE = "/promises"
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_STEP = re.compile(r"(\S.{0,63}?)\s+(?:(\d{1,3})\s*%|\+(\d{1,6}))")
Word = Annotated[str, Form(max_length=64)]
Text = Annotated[str, Form(max_length=4000)]


@dataclass(frozen=True, slots=True)
class Asked:
    """Which case the preview is about."""

    kind: str
    priority: str
    site: str


def steps_from(words: str) -> tuple[Step, ...]:
    """A chain, one step a line: `dispatcher 75 %`, `admin +60`. Raises Problem."""
    made = []
    for line in words.splitlines():
        if not line.strip():
            continue
        found = _STEP.fullmatch(line.strip())
        if found is None:
            raise bad_field("steps", line[:100], "one a line, such as dispatcher 75 % or admin +60")
        who, share, after = found.groups()
        made.append(Step(who, int(share) / 100) if share else Step(who, 1.0, float(after)))
    return tuple(made)


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""
    of = Promises(web.shared)

    @router.get("/promises", include_in_schema=False)
    def promises(
        request: Request, who: Who, want: Want, kind: str = "report", priority: str = "normal", site: str = ""
    ) -> Response:
        if kind not in KINDS or priority not in PRIORITIES:
            raise not_found("kind of case")
        page = of.running(who, want.after)
        return web.page(
            request, "promises.html", clocks=page.items, page=page, kept=of.kept(who), book=of.book(who),
            recomputing=of.recomputing(who),
            calendars=of.calendars(who), sites=of.sites(who), kinds=KINDS, priorities=PRIORITIES,
            asked=Asked(kind, priority, site), days=list(zip(WEEKDAYS, DAYS, strict=True)),
            preview=of.preview(who, kind=kind, priority=priority, site=site),
        )  # fmt: skip

    @router.post("/promises/rules", include_in_schema=False)
    def rule(
        who: Who, metric: Annotated[Metric, Form()], minutes: Annotated[float, Form()],
        version: Annotated[int, Form()], kind: Word = "", tier: Word = "", priority: Word = "", calendar: Word = "",
        pauses: Annotated[list[str] | None, Form()] = None, steps: Text = "",
    ) -> Response:  # fmt: skip
        target = Target(metric, minutes, calendar, tuple(pauses or ()), steps_from(steps))
        made = with_rule(of.book(who).policy, Rule(target, kind, tier.strip(), priority))
        of.set_policy(who, made, version)
        return back_to(HERE)

    @router.post("/promises/rules/{n}/drop", include_in_schema=False)
    def drop(who: Who, n: int, version: Annotated[int, Form()]) -> Response:
        policy = of.book(who).policy
        if not 1 <= n <= len(policy.rules):
            raise not_found("rule")
        of.set_policy(who, without_rule(policy, n), version)
        return back_to(HERE)

    @router.post("/promises/calendars", include_in_schema=False)
    def calendar(
        who: Who, name: Word, mon: Text = "", tue: Text = "", wed: Text = "", thu: Text = "", fri: Text = "",
        sat: Text = "", sun: Text = "", time_zone: Word = "", country: Word = "", exceptions: Text = "",
    ) -> Response:  # fmt: skip
        week = dict(zip(WEEKDAYS, (mon, tue, wed, thu, fri, sat, sun), strict=True))
        hours = hours_from(week, time_zone=time_zone, country=country, exceptions=exceptions)
        of.set_calendar(who, name.strip(), hours)
        return back_to(HERE)

    @router.post("/promises/sites/{site}", include_in_schema=False)
    def site_hours(who: Who, site: str, country: Word = "", calendar: Word = "") -> Response:
        of.set_site(who, site, country.strip(), calendar)
        return back_to(HERE)

    @router.post("/cases/{case}/clock/{action}", include_in_schema=False)
    def act(who: Who, case: str, action: str, reason: Word = "") -> Response:
        of.act(who, case, action, reason)
        return back_to(f"/cases/{case}")

    _plans(web, router)


def _plans(web: Web, router: APIRouter) -> None:
    of = Plans(web.shared)

    @router.get("/plans", include_in_schema=False)
    def plans(request: Request, who: Who, want: Want) -> Response:
        page = of.plans(who, after=want.after)
        return web.page(request, "plans.html", plans=page.items, page=page)

    @router.post("/plans/{plan}/{action}", include_in_schema=False)
    def move(
        who: Who, plan: str, action: str, version: Annotated[int | None, Form()] = None,
        next: Annotated[str, Form(max_length=500)] = "",
    ) -> Response:  # fmt: skip
        of.move(who, plan, action, version)
        return back_to(local_address(next, "/plans"))

    @router.post("/assets/{asset}/plans", include_in_schema=False)
    def make(
        who: Who, asset: str, title: Annotated[str, Form(max_length=200)], tasks: Text,
        every_days: Annotated[int, Form()] = 0, every_months: Annotated[int, Form()] = 0,
        every_hours: Annotated[float, Form()] = 0.0, meter: Word = "", limit: Annotated[str, Form(max_length=32)] = "",
        fixed: Word = "", minutes: Annotated[int, Form()] = 60, skill: Word = "",
    ) -> Response:  # fmt: skip
        spec = spec_of_form(
            title, tasks, every_days, every_months, every_hours, meter, _number("limit", limit), below=False,
            fixed=fixed == "true", skill=skill, minutes=minutes,
        )  # fmt: skip
        of.make(who, asset, spec, None)
        return back_to(f"/assets/{asset}")

    @router.post("/assets/{asset}/plans/suggested", include_in_schema=False)
    def take_up(who: Who, asset: str) -> Response:
        found = web.owners.asset(who, asset)
        if found is None:
            raise not_found("machine")
        of.take_up(who, asset, found.model)
        return back_to(f"/assets/{asset}")

    @router.post("/assets/{asset}/readings", include_in_schema=False)
    def read(who: Who, asset: str, meter: Word, value: Annotated[float, Form()]) -> Response:
        if asset not in web.owners.mine(who):
            raise not_found("machine")
        of.read(who, asset, meter.strip(), value, None)
        return back_to(f"/assets/{asset}")


def _number(field: str, given: str) -> float | None:
    if not given.strip():
        return None
    try:
        return float(given)
    except ValueError as no:
        raise bad_field(field, given, "a number") from no
