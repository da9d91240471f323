"""Figures with their formulas, and one view of a customer."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from api.guard import Who
from api.owners.installed import Base
from api.owners.overview import FAIR, SIDES, SPANS, Overview
from api.web import Web


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""
    of = Overview(web.shared)

    @router.get("/figures", include_in_schema=False)
    def figures(
        request: Request, who: Who, span: str = "year", figure: str = "false_orders", by: str = "tier"
    ) -> Response:
        found = of.figures(who, span)
        title = next((f.title for f in found if f.name == figure), "")
        return web.page(
            request, "figures.html", measured=found, span=span, spans=tuple(SPANS),
            shares=of.shares(who, figure, by, span), figure=figure, by=by, sides=SIDES, title=title,
            unit=next((f.unit for f in found if f.name == figure), ""),
            fair=[(f.name, f.title) for f in found if f.name in FAIR],
        )  # fmt: skip

    @router.get("/customers", include_in_schema=False)
    def customers(request: Request, who: Who) -> Response:
        return web.page(request, "customers.html", customers=of.customers(who))

    @router.get("/customers/{customer}", include_in_schema=False)
    def customer(
        request: Request, who: Who, customer: str, after: Annotated[int | None, Query(ge=1)] = None
    ) -> Response:
        seen = of.customer(who, customer)
        page, more = of.timeline(who, customer, after) if after else (seen.customer.timeline, seen.customer.next)
        return web.page(
            request, "customer.html", customer=seen.customer, health=seen.health, lines=of.lines(who, page), more=more,
            sites={s.id: s.name for s in seen.customer.sites}, people=Base(web.shared).people(who, customer),
        )  # fmt: skip
