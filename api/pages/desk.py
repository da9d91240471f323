"""The office: inbox, cases, orders, devices with their ledger, quarantine."""

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from api.guard import Who
from api.identity import identity_of
from api.json.lists import WantCases, WantDevices, WantOrders, WantRefusals
from api.owners.aftercare import Aftercare
from api.owners.commands import BY_HAND
from api.owners.conversations import Conversations
from api.owners.jobs import Jobs
from api.owners.promises import Promises
from api.ports import Wanted
from api.problems import not_found
from api.roles import Role
from api.web import Web, back_to, local_address

KEYS = "1234567890"
MOST_CLOCKS = 8


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""
    owners, jobs = web.owners, Jobs(web.shared)

    @router.get("/inbox", include_in_schema=False)
    def inbox(request: Request, who: Who) -> Response:
        found = owners.inbox(who)
        keyed = [(KEYS[n] if n < len(KEYS) else "", chore) for n, chore in enumerate(found)]
        due = Promises(web.shared).running(who, limit=MOST_CLOCKS)
        return web.page(request, "inbox.html", chores=keyed, clocks=due.items, more=due.next is not None)

    @router.get("/cases", include_in_schema=False)
    def cases(request: Request, who: Who, want: WantCases) -> Response:
        return web.page(request, "cases.html", page=owners.cases(who, want), want=want)

    @router.get("/cases/{case}", include_in_schema=False)
    def case(request: Request, who: Who, case: str) -> Response:
        found = owners.case(who, case)
        if found is None:
            raise not_found("case")
        return web.page(
            request, "case.html", case=found, examinations=owners.examinations(who, case=case),
            insight=owners.insight(who, found.asset) if found.closed_at is None else None,
            more=jobs.case_more(who, case), checks=Aftercare(web.shared).checks(who, case),
            talk=Conversations(web.shared).talk(who, case), words=jobs.words_say(who, case),
            write_to=f"/conversations/{case}/messages" if who.role in (Role.DISPATCHER, Role.ADMIN) else "",
        )  # fmt: skip

    @router.post("/cases/{case}/{action}", include_in_schema=False)
    def move_case(
        who: Who,
        case: str,
        action: str,
        reason: Annotated[str, Form(max_length=500)] = "",
        into: Annotated[str, Form(max_length=80)] = "",
        next: Annotated[str, Form(max_length=500)] = "",
    ) -> Response:
        if action in BY_HAND:
            jobs.move_case(who, case, action, {"reason": reason, "into": into})
            return back_to(local_address(next, f"/cases/{case}"))
        if owners.move_case(who, case, action, {"reason": reason}) is None:
            raise not_found("case")
        return back_to(local_address(next, f"/cases/{case}"))

    @router.get("/orders", include_in_schema=False)
    def orders(request: Request, who: Who, want: WantOrders) -> Response:
        return web.page(request, "orders.html", page=owners.orders(who, want), want=want)

    @router.get("/devices", include_in_schema=False)
    def devices(request: Request, who: Who, want: WantDevices) -> Response:
        return web.page(request, "devices.html", page=owners.devices(who, want), want=want)

    @router.get("/devices/{device}", include_in_schema=False)
    def device(request: Request, who: Who, device: str) -> Response:
        found, ledger = owners.device(who, device), owners.ledger(who, device)
        if found is None or ledger is None:
            raise not_found("device")
        refused = owners.refusals(who, Wanted(asset=device, limit=20))
        return web.page(
            request, "device.html", device=found, ledger=ledger, refused=refused.items,
            identity=identity_of(web, who, found),
        )  # fmt: skip

    @router.post("/devices/{device}/revoke", include_in_schema=False)
    def revoke(who: Who, device: str) -> Response:
        if not owners.revoke_device(who, device):
            raise not_found("device")
        return back_to(f"/devices/{device}")

    @router.get("/quarantine", include_in_schema=False)
    def quarantine(request: Request, who: Who, want: WantRefusals) -> Response:
        return web.page(request, "quarantine.html", page=owners.refusals(who, want), want=want)
