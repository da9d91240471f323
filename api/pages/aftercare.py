"""The survey on its page, and for programs what came of all of them."""

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from api.guard import Who
from api.json.answers import answer
from api.owners.aftercare import Aftercare
from api.web import Web, back_to

FACES = ((5, "Very good"), (4, "Good"), (3, "So so"), (2, "Bad"), (1, "Very bad"))


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""
    care = Aftercare(web.shared)

    @router.get("/surveys/{order}", include_in_schema=False)
    def survey(request: Request, who: Who, order: str) -> Response:
        return web.page(
            request, "survey.html", survey=care.survey(who, order), faces=FACES, answer_to=f"/surveys/{order}"
        )

    @router.post("/surveys/{order}", include_in_schema=False)
    def reply(
        who: Who,
        order: str,
        satisfied: Annotated[str, Form(max_length=2)] = "",
        recommends: Annotated[str, Form(max_length=2)] = "",
        effort: Annotated[str, Form(max_length=2)] = "",
        words: Annotated[str, Form(max_length=2000)] = "",
    ) -> Response:
        fields = {"satisfied": satisfied, "recommends": recommends, "effort": effort, "words": words}
        care.answer(who, order, fields)
        return back_to(f"/surveys/{order}")

    @router.get("/api/v1/surveys", tags=["service"])
    def said(who: Who) -> Response:
        """What customers said of finished jobs: satisfaction, NPS, effort, and the newest surveys."""
        figures, newest = care.said(who)
        return answer({"figures": figures, "items": newest, "next": None})
