"""When a technician on the way arrives, for programs: minutes alone, no positions."""

from fastapi import APIRouter
from pydantic import Field
from starlette.responses import Response

from api.guard import Who
from api.json.answers import answer
from api.json.commands import Body
from api.json.headers import Match
from api.owners.arrival import Arrivals
from api.owners.versions import ORDER, expect
from api.web import Web


class ArrivalBody(Body):
    """Minutes until he arrives; null = nothing is told any more."""

    minutes: int | None = Field(None, ge=1, le=600)


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""
    of = Arrivals(web.shared)

    @router.post("/api/v1/work-orders/{order}/arrival", tags=["service"])
    def arrival(who: Who, order: str, match: Match, body: ArrivalBody) -> Response:
        """Say when a technician arrives who is on the way; `words` is how the customer reads it."""
        if body.minutes is None:
            expect(ORDER, match, who, order)
            of.stop(who, order)
            return answer({"words": ""})
        return answer({"words": of.say(who, order, body.minutes, match)})
