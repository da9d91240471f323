"""Figures and customers for programs."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.guard import Who
from api.json.answers import answer
from api.owners.overview import Overview
from api.owners.versions import TIER
from api.web import Web

Span = Annotated[str, Query(description="month, quarter, year or all", max_length=16)]


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""
    of, root = Overview(web.shared), "/api/v1"

    @router.get(f"{root}/figures", tags=["work"], summary="All figures of service, each with its formula, by month")
    def figures(who: Who, span: Span = "all") -> Response:
        return answer({"items": of.figures(who, span), "next": None})

    @router.get(f"{root}/figures/{{figure}}", tags=["work"], summary="One figure by groups of customers")
    def shares(
        who: Who, figure: str, by: Annotated[str, Query(max_length=16)] = "tier", span: Span = "all"
    ) -> Response:
        return answer({"items": of.shares(who, figure, by, span), "next": None})

    @router.get(f"{root}/customers", tags=["work"], summary="Customers, by name")
    def customers(who: Who) -> Response:
        found = of.customers(who)
        with web.shared.database.read() as connection:
            tiers = TIER.among(connection, who.tenant, [(id,) for id, _ in found])
        items = [{"id": id, "name": name, "version": tiers.get((id,), 0)} for id, name in found]
        return answer({"items": items, "next": None})

    @router.get(f"{root}/customers/{{customer}}", tags=["work"], summary="One view of a customer, with his timeline")
    def customer(who: Who, customer: str) -> Response:
        return answer(of.customer(who, customer))

    @router.get(f"{root}/customers/{{customer}}/timeline", tags=["work"], summary="What happened, newest first")
    def timeline(
        who: Who, customer: str, after: Annotated[int | None, Query(ge=1)] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> Response:  # fmt: skip
        page, more = of.timeline(who, customer, after, limit)
        return answer({"items": page, "next": more})
