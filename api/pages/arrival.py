"""When a technician on the way arrives: his phone tells it if he lets it, or he says it."""

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.responses import Response

from api.guard import Who
from api.json.answers import answer
from api.owners.arrival import Arrivals
from api.problems import bad_field
from api.web import Web, back_to

MAY_LOCATE = {"Permissions-Policy": "camera=(), geolocation=(self), microphone=()"}
"""The one page that may ask a phone where it is: that of a job whose technician is on the way."""


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""
    of = Arrivals(web.shared)

    @router.post("/orders/{order}/position", include_in_schema=False)
    def position(
        who: Who,
        order: str,
        latitude: Annotated[str, Form(max_length=20)] = "",
        longitude: Annotated[str, Form(max_length=20)] = "",
    ) -> Response:
        return answer({"words": of.share(who, order, latitude, longitude)})

    @router.post("/orders/{order}/arrival", include_in_schema=False)
    def arrival(who: Who, order: str, minutes: Annotated[str, Form(max_length=4)] = "") -> Response:
        """Minutes; none = nothing is told any more."""
        if not minutes:
            of.stop(who, order)
        elif not (minutes.isascii() and minutes.isdecimal()):
            raise bad_field("minutes", minutes, "must be a whole number")
        else:
            of.say(who, order, int(minutes))
        return back_to(f"/orders/{order}")
