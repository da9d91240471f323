"""The demo's bar and its stories: change the role with one click, see what happens next, pause the clock."""

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from api import service
from api.clockwork import set_clock
from api.guard import Who
from api.pages.signing_in import with_session
from api.ports import Wanted
from api.problems import Problem, bad_field
from api.roles import Principal, Role
from api.web import DEMO, HOME, Web, back_to, local_address
from plumbing import audit


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""
    database = web.shared.database

    def only_demo(who: Principal) -> None:
        if who.tenant != DEMO or not web.shared.clocks.simulated(who.tenant):
            raise Problem(403, "This is for the demo only: your tenant has real people in it.")

    @router.get("/demo", include_in_schema=False)
    def stories(request: Request, who: Who) -> Response:
        only_demo(who)
        return web.page(request, "stories.html", cards=web.stories.cards() if web.stories else ())

    @router.get("/demo/next", include_in_schema=False)
    def what_next(request: Request, who: Who) -> Response:
        only_demo(who)
        return web.page(request, "next.html", steps=next_steps(web, who))

    @router.post("/demo/as/{role}", include_in_schema=False)
    def switch(
        who: Who,
        role: str,
        subject: Annotated[str, Form(max_length=64)] = "",
        next: Annotated[str, Form(max_length=500)] = "",
    ) -> Response:
        only_demo(who)
        if who.csrf is None:
            raise Problem(403, "An API key keeps its role.")
        if role not in set(Role):
            raise bad_field("role", role, ", ".join(Role))
        of = (subject or web.owners.subject_of(who.tenant, role)) if role in (Role.CUSTOMER, Role.TECHNICIAN) else ""
        account = service.ensure_account(database, web.wall(), who.tenant, role, of, web.owners.name_of(who.tenant, of))
        opened = service.start_session(database, web.wall(), account.id)
        with database.write() as connection:
            audit.append(
                connection, who.tenant, web.now(who), who.actor, "demo_role_switched",
                {"id": account.id, "text": f"The demo is now seen as {role}", "from": who.role, "to": role},
            )  # fmt: skip
        return with_session(web, back_to(local_address(next, HOME[Role(role)])), opened)

    @router.post("/demo/clock", include_in_schema=False)
    def clock(
        who: Who,
        action: Annotated[str, Form(max_length=10)],
        factor: Annotated[float | None, Form()] = None,
        next: Annotated[str, Form(max_length=500)] = "",
    ) -> Response:
        set_clock(web, who, action, factor)
        return back_to(local_address(next, "/demo"))


def next_steps(web: Web, who: Principal) -> list[tuple[str, str, str, str]]:
    """What can be done now, and as whom: (words, role, id of the person, address)."""
    office = Principal(who.tenant, Role.ADMIN, "", who.account, who.name, None)
    owners = web.owners
    steps: list[tuple[str, str, str, str]] = []
    for notice in owners.notices(office, Wanted(limit=50)).items:
        if notice.open:
            text = f"{notice.customer} has a notice about {notice.asset_name}: choose a half day, or decline."
            steps.append((text, Role.CUSTOMER, notice.customer_id, f"/notices/{notice.id}"))
    steps.extend((f"{c.title}: {c.text}", Role.DISPATCHER, "", "/inbox") for c in owners.inbox(office))
    for order in owners.orders(office, Wanted(limit=50)).items:
        if order.state in ("dispatched", "in_progress", "work_done"):
            text = f"{order.technician or 'A technician'} has the job “{order.title}” on {order.asset_name}."
            steps.append((text, Role.TECHNICIAN, order.technician_id, f"/orders/{order.id}"))
        elif order.state == "review":
            text = f"The finding on {order.asset_name} waits for review."
            steps.append((text, Role.DISPATCHER, "", f"/orders/{order.id}"))
    return steps
