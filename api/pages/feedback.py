"""What bad words of customers led to, on a page."""

from datetime import UTC, date, datetime, time
from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from api.guard import Who
from api.owners.commands import version_of
from api.owners.feedback import FeedbackActions
from api.problems import bad_field
from api.web import Web, back_to


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""
    of = FeedbackActions(web.shared)

    @router.get("/feedback", include_in_schema=False)
    def page(request: Request, who: Who) -> Response:
        return web.page(request, "feedback.html", of=of.page(who))

    @router.post("/feedback", include_in_schema=False)
    def rule(
        who: Who, owner: Annotated[str, Form(max_length=200)] = "", days: Annotated[str, Form(max_length=3)] = "3"
    ) -> Response:
        if not (days.isascii() and days.isdecimal()):
            raise bad_field("days", days, "must be a whole number")
        of.set_rule(who, owner, int(days))
        return back_to("/feedback")

    @router.post("/feedback/{feedback}/{action}", include_in_schema=False)
    def move(
        who: Who,
        feedback: str,
        action: str,
        owner: Annotated[str, Form(max_length=200)] = "",
        due: Annotated[str, Form(max_length=10)] = "",
        text: Annotated[str, Form(max_length=2000)] = "",
        version: Annotated[str, Form(max_length=9)] = "",
    ) -> Response:
        try:
            until = datetime.combine(date.fromisoformat(due), time(17), UTC) if due else None
        except ValueError:
            raise bad_field("due", due, "a day, such as 2026-11-30") from None
        of.move(who, feedback, action, owner=owner, due_at=until, text=text, version=version_of({"version": version}))
        return back_to("/feedback")
