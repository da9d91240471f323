"""Fleet and asset, and the data of all charts."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from api.afar import Tried, afar
from api.guard import Who
from api.json.answers import answer
from api.owners.installed import Base
from api.owners.plans import Plans
from api.ports import Wanted
from api.problems import bad_field, not_found
from api.roles import Principal
from api.views import Asset, Health
from api.web import Web, back_to

HOURS = (1.0, 24.0 * 400)
WORST_FIRST = (Health.FAILURE, Health.MAINTENANCE, Health.CHECK, Health.OUT_OF_SPEC, Health.UNKNOWN, Health.NORMAL)
SHOWN_GROUPS, SHOWN_FOR = 3, timedelta(days=1)
"""Alarms that share a cause are shown on the fleet's page for a day."""
SPANS = ((24.0, "1 day"), (72.0, "3 days"), (240.0, "10 days"), (24.0 * 90, "90 days"))


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""
    owners = web.owners

    @router.get("/fleet", include_in_schema=False)
    def fleet(request: Request, who: Who) -> Response:
        found = sorted(owners.assets(who), key=lambda a: (WORST_FIRST.index(a.state), a.id))
        counts = [(state, sum(a.state is state for a in found)) for state in WORST_FIRST]
        shared = owners.shared_causes(who, Wanted(limit=SHOWN_GROUPS), web.now(who) - SHOWN_FOR).items
        return web.page(request, "fleet.html", assets=found, counts=[c for c in counts if c[1]], shared=shared)

    @router.get("/assets/{asset}", include_in_schema=False)
    def asset(request: Request, who: Who, asset: str, hours: float = 240.0) -> Response:
        found = owners.asset(who, asset)
        if found is None:
            raise not_found("machine")
        return page_of(web, request, who, found, hours=_hours(hours))

    @router.post("/assets/{asset}/breakdown", include_in_schema=False)
    def break_down(
        who: Who,
        asset: str,
        failure_mode: Annotated[str, Form(max_length=64)],
        as_found: Annotated[str, Form(max_length=4000)] = "",
    ) -> Response:
        if owners.break_down(who, asset, {"failure_mode": failure_mode, "as_found": as_found}) is None:
            raise not_found("machine")
        return back_to(f"/assets/{asset}")

    @router.get("/charts/assets/{asset}/{signal}", include_in_schema=False)
    def signal(who: Who, asset: str, signal: str, hours: float = 240.0) -> Response:
        return _chart(owners.chart_signal(who, asset, signal, _hours(hours)))

    @router.get("/charts/cases/{case}", include_in_schema=False)
    def case(who: Who, case: str) -> Response:
        return _chart(owners.chart_case(who, case))

    @router.get("/charts/orders/{order}", include_in_schema=False)
    def order(who: Who, order: str) -> Response:
        return _chart(owners.chart_order(who, order))

    @router.get("/charts/notices/{notice}", include_in_schema=False)
    def notice(who: Who, notice: str) -> Response:
        return _chart(owners.chart_notice(who, notice))


def page_of(
    web: Web, request: Request, who: Principal, found: Asset, *, hours: float = 240.0, tried: Tried | None = None,
    status: int = 200,
) -> Response:  # fmt: skip
    """The page of a machine; `tried` is a command that was not taken."""
    mine = Wanted(asset=found.id, limit=5)
    modes = web.owners.modes(found.model)
    missed = web.owners.misses(who, found.id, 1) if who.sees_all else ()
    return web.page(
        request, "asset.html", status, asset=found, hours=hours, spans=SPANS, path=f"/assets/{found.id}",
        timeline=web.owners.timeline(who, found.id), afar=afar(web, who, found, tried),
        ledgers=[(d, of) for d in found.devices if (of := web.owners.ledger(who, d))] if who.sees_all else (),
        cases=web.owners.cases(who, mine).items if who.sees_all else (), modes=modes, mode_titles=dict(modes),
        insight=web.owners.insight(who, found.id) if who.sees_all else None,
        miss=web.owners.miss(who, missed[0].finding) if missed else None,
        plans=Plans(web.shared).of_asset(who, found.id), meters=Plans(web.shared).meters(who, found.id),
        suggested=Plans(web.shared).suggested(who, found.id, found.model), past=Base(web.shared).past(who, found.id),
    )  # fmt: skip


def _hours(given: float) -> float:
    low, high = HOURS
    if not low <= given <= high:
        raise bad_field("hours", given, f"{low:g} to {high:g}")
    return given


def _chart(found: object | None) -> Response:
    if found is None:
        raise not_found("chart")
    return answer(found)
