"""The customer's side: machines, notices, and the answer to a notice."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from api.guard import Who
from api.owners.aftercare import Aftercare
from api.owners.conversations import Conversations
from api.ports import Wanted
from api.problems import not_found
from api.roles import Role
from api.web import Web, back_to, local_address

DECLINE_REASONS = (
    "We repair it ourselves",
    "The machine is taken out of service soon",
    "It is not convenient now",
    "We do not believe the forecast",
)

SILENCE = timedelta(hours=1)
"""A machine that is silent for longer is not called well."""


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""
    owners, talks = web.owners, Conversations(web.shared)

    @router.get("/my-machines", include_in_schema=False)
    def machines(request: Request, who: Who) -> Response:
        notices = owners.notices(who, Wanted(limit=20)).items
        return web.page(
            request, "my_machines.html", assets=owners.assets(who), waiting=[n for n in notices if n.open],
            notices=[n for n in notices if not n.open], under_way=talks.under_way(who), silence=SILENCE,
            surveys=Aftercare(web.shared).waiting(who),
        )  # fmt: skip

    @router.get("/notices", include_in_schema=False)
    def notices(request: Request, who: Who) -> Response:
        return web.page(request, "notices.html", page=owners.notices(who, Wanted(limit=100)))

    @router.get("/notices/{notice}", include_in_schema=False)
    def notice(request: Request, who: Who, notice: str) -> Response:
        found = owners.notice(who, notice)
        if found is None:
            raise not_found("notice")
        if who.role is Role.CUSTOMER and found.state in ("sent", "delivered"):
            found = owners.answer(who, notice, "open", {}) or found
        may_answer = who.role is not Role.ENGINEER
        return web.page(
            request, "notice.html", notice=found, reasons=DECLINE_REASONS, may_answer=may_answer,
            more=talks.notice_more(who, notice, owners.language_of(who.tenant, who.subject)),
        )  # fmt: skip

    @router.post("/notices/{notice}/{reply}", include_in_schema=False)
    def answer(
        who: Who,
        notice: str,
        reply: str,
        slot: Annotated[str, Form(max_length=64)] = "",
        reason: Annotated[str, Form(max_length=500)] = "",
        more: Annotated[str, Form(max_length=400)] = "",
        day: Annotated[str, Form(max_length=10)] = "",
        half: Annotated[str, Form(max_length=2)] = "",
        next: Annotated[str, Form(max_length=500)] = "",
    ) -> Response:
        said = ": ".join(part.strip() for part in (reason, more) if part.strip())
        fields = {"slot": slot, "reason": said[:500], "day": day, "half": half}
        if owners.answer(who, notice, reply, {k: v for k, v in fields.items() if v}) is None:
            raise not_found("notice")
        return back_to(local_address(next, f"/notices/{notice}"))
