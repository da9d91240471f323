"""Work orders: the order's page, its actions, the finding, and the technician's own list."""

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from api.guard import Who
from api.owners.arrival import Arrivals
from api.owners.jobs import Jobs
from api.pages.arrival import MAY_LOCATE
from api.ports import Wanted
from api.problems import not_found
from api.roles import Role
from api.web import Web, back_to, local_address

RESULTS = (
    ("prevented", "The damage had begun, the failure was prevented"),
    ("true", "It had failed, or was about to"),
    ("false", "Nothing was wrong"),
    ("unknown", "It cannot be said"),
)
DONE = frozenset({"closed", "cancelled", "cannot_complete"})


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""
    owners, jobs = web.owners, Jobs(web.shared)

    @router.get("/my-jobs", include_in_schema=False)
    def my_jobs(request: Request, who: Who) -> Response:
        found = owners.orders(who, Wanted(limit=100)).items
        jobs = sorted(
            (o for o in found if o.state not in DONE), key=lambda o: (o.visit_start is None, o.visit_start, o.id)
        )
        return web.page(request, "my_jobs.html", jobs=jobs, done=[o for o in found if o.state in DONE][:10])

    @router.get("/orders/{order}", include_in_schema=False)
    def order(request: Request, who: Who, order: str) -> Response:
        found = owners.order(who, order)
        if found is None:
            raise not_found("work order")
        page_of = jobs.job(who, order)
        way = None
        if page_of is not None and page_of.visit == "en_route" and who.role is not Role.ENGINEER:
            way = Arrivals(web.shared).on_the_way(who, order, found.asset)
        can_find = found.state in ("in_progress", "work_done") and who.role != "engineer"
        made = web.page(
            request,
            "order.html",
            order=found,
            results=RESULTS,
            can_find=can_find,
            can_tick=found.state == "in_progress" and who.role != "engineer",
            job=page_of,
            way=way,
        )
        if way is not None and way.can_share:
            made.headers.update(MAY_LOCATE)
        return made

    @router.post("/orders/{order}/finding", include_in_schema=False)
    def finding(
        who: Who,
        order: str,
        result: Annotated[str, Form(max_length=20)],
        failure_mode: Annotated[str, Form(max_length=64)] = "",
        as_found: Annotated[str, Form(max_length=4000)] = "",
        replaced: Annotated[str, Form(max_length=5)] = "",
        serial: Annotated[str, Form(max_length=100)] = "",
    ) -> Response:
        fields = {"result": result, "failure_mode": failure_mode, "as_found": as_found, "serial": serial}
        fields["replaced"] = "true" if replaced else "false"
        if owners.find(who, order, fields) is None:
            raise not_found("work order")
        return back_to(f"/orders/{order}")

    @router.post("/orders/{order}/tasks/{n}/{action}", include_in_schema=False)
    def task(who: Who, order: str, n: int, action: str, result: Annotated[str, Form(max_length=300)] = "") -> Response:
        if owners.do_task(who, order, n, action, result) is None:
            raise not_found("work order")
        return back_to(f"/orders/{order}")

    @router.post("/orders/{order}/{action}", include_in_schema=False)
    def move(
        who: Who,
        order: str,
        action: str,
        reason: Annotated[str, Form(max_length=500)] = "",
        technician: Annotated[str, Form(max_length=64)] = "",
        agreed_by: Annotated[str, Form(max_length=200)] = "",
        day: Annotated[str, Form(max_length=10)] = "",
        half: Annotated[str, Form(max_length=2)] = "",
        version: Annotated[str, Form(max_length=10)] = "",
        next: Annotated[str, Form(max_length=500)] = "",
    ) -> Response:
        fields = {
            "reason": reason, "technician": technician, "agreed_by": agreed_by, "day": day, "half": half,
            "version": version,
        }  # fmt: skip
        if owners.move_order(who, order, action, {k: v for k, v in fields.items() if v}) is None:
            raise not_found("work order")
        return back_to(local_address(next, f"/orders/{order}"))
