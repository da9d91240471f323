"""Actions from feedback for programs."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import AwareDatetime, Field
from starlette.responses import Response

from api.guard import Who
from api.json.answers import answer, wanting
from api.json.commands import Body
from api.json.headers import Match
from api.owners.feedback import FeedbackActions
from api.ports import Wanted
from api.web import Web
from work_orders.domain.feedback import FeedbackState

WantFeedback = Annotated[Wanted, Depends(wanting(FeedbackState))]


class FeedbackBody(Body):
    """`give`: to whom (nobody = to you) and until when; `finish`: what was done, which the customer reads; `reopen`:
    why."""

    owner: str = Field("", max_length=200)
    due_at: AwareDatetime | None = None
    text: str = Field("", max_length=2000)


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""
    of = FeedbackActions(web.shared)

    @router.get("/api/v1/feedback", tags=["service"])
    def feedback(who: Who, want: WantFeedback) -> Response:
        """What bad answers and complaints of customers led to, newest first."""
        found = of.items(who, want.state, want.after, want.limit)
        return answer({"items": found.items, "next": found.next})

    @router.post("/api/v1/feedback/{feedback}/{action}", tags=["service"])
    def move(who: Who, feedback: str, action: str, match: Match, body: FeedbackBody) -> Response:
        """give, finish, reopen; with `If-Match`."""
        moved = of.move(who, feedback, action, owner=body.owner, due_at=body.due_at, text=body.text, version=match)
        return answer(moved)
