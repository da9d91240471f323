"""Where events go, for admins."""

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from api.guard import Who
from api.json.headers import seen
from api.owners.webhooks import Webhooks
from api.problems import Problem, bad_field
from api.roles import Principal
from api.web import Web, back_to
from work_orders.domain.webhooks import Reach


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""
    hooks = Webhooks(web.shared, Reach(web.settings.webhook_networks))

    def shown(request: Request, who: Principal, status: int = 200, fault: str = "", secret: str = "") -> Response:
        found = hooks.all(who)
        dead = {w.id: hooks.deliveries(who, w.id, "dead", 0, 5) for w in found if w.dead}
        return web.page(request, "webhooks.html", status, webhooks=found, dead=dead, fault=fault, secret=secret)

    @router.get("/webhooks", include_in_schema=False)
    def webhooks(request: Request, who: Who) -> Response:
        return shown(request, who)

    @router.post("/webhooks", include_in_schema=False)
    def add(
        request: Request, who: Who, url: Annotated[str, Form(max_length=500)],
        types: Annotated[str, Form(max_length=2000)] = "*",
    ) -> Response:  # fmt: skip
        try:
            made = hooks.add(who, url, types.replace(",", " ").split())
        except Problem as no:
            return shown(request, who, no.status, no.detail)
        return shown(request, who, secret=made.secret)

    @router.post("/webhooks/{webhook}/{action}", include_in_schema=False)
    def move(
        request: Request, who: Who, webhook: str, action: str, version: Annotated[str, Form(max_length=10)] = "",
        after: Annotated[str, Form(max_length=18)] = "0",
    ) -> Response:  # fmt: skip
        if not after.isdecimal():
            raise bad_field("after", after, "a number of the chain")
        made = hooks.move(who, webhook, action, seen(version), int(after))
        return shown(request, who, secret=made.secret) if made.secret else back_to("/webhooks")
