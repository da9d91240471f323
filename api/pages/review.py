"""The review queue, and the page on which a person lets the product do more."""

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from api.guard import Who
from api.owners.review import Reviews
from api.web import Web, back_to

TITLES = {
    "watch": "Watches, tells nobody",
    "propose": "Proposes, a dispatcher decides",
    "automatic": "Asks the customer by itself",
}
MORE = {"watch": "Let it propose", "propose": "Let it ask the customer by itself", "automatic": ""}


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""
    reviews = Reviews(web.shared)

    @router.get("/review", include_in_schema=False)
    def queue(request: Request, who: Who) -> Response:
        items, more, in_a_day, limit = reviews.queue(who)
        return web.page(request, "review.html", items=items, more=more, in_a_day=in_a_day, limit=limit)

    @router.get("/autonomy", include_in_schema=False)
    def autonomy(request: Request, who: Who) -> Response:
        return web.page(
            request, "autonomy.html", levels=reviews.levels(who), promotions=reviews.promotions(who), titles=TITLES,
            promote=MORE, brake=reviews.brake(who),
        )  # fmt: skip

    @router.post("/autonomy", include_in_schema=False)
    def move(
        who: Who,
        model: Annotated[str, Form(max_length=64)] = "",
        customer: Annotated[str, Form(max_length=64)] = "",
        action: Annotated[str, Form(max_length=16)] = "",
        seen: Annotated[str, Form(max_length=60)] = "",
        reason: Annotated[str, Form(max_length=300)] = "",
    ) -> Response:
        reviews.move(who, model, customer, action, seen, reason)
        return back_to("/autonomy")
