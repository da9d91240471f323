"""Autonomy and the decision log for programs."""

import msgspec
from fastapi import APIRouter
from pydantic import Field
from starlette.responses import Response

from api.guard import Who
from api.json.answers import answer
from api.json.commands import Body
from api.json.headers import Match
from api.owners.review import SAID, Reviews
from api.owners.versions import AUTONOMY, expect
from api.web import Web


class AutonomyBody(Body):
    """`promote` (one step), `step_back` or `stop`, for a model and a customer (empty = every one). `seen` is the record
    that the list showed: right, wrong, missed, faded, waiting; more is allowed only on the newest."""

    model: str = Field(max_length=64)
    customer: str = Field("", max_length=64)
    action: str = Field(max_length=16)
    seen: list[int] = Field(default_factory=list, max_length=len(SAID))
    reason: str = Field("", max_length=300)


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""
    reviews = Reviews(web.shared)

    @router.get("/api/v1/autonomy", tags=["service"])
    def autonomy(who: Who) -> Response:
        """What the product may do by itself, and its record, by model and customer."""
        found = reviews.levels(who)
        with web.shared.database.read() as connection:
            of = [(s.standing.model, s.standing.customer_id) for s in found]
            versions = AUTONOMY.among(connection, who.tenant, of)
        items = [{**msgspec.to_builtins(s), "version": versions.get(key, 0)} for s, key in zip(found, of, strict=True)]
        return answer({"items": items, "next": None})

    @router.post("/api/v1/autonomy", tags=["service"])
    def move(who: Who, body: AutonomyBody, match: Match) -> Response:
        """Let it do more, or less."""
        expect(AUTONOMY, match, who, body.model, body.customer)
        seen = ",".join(map(str, body.seen))
        mode = reviews.move(who, body.model, body.customer, body.action, seen, body.reason)
        return answer({"model": body.model, "customer": body.customer, "mode": mode})

    @router.get("/api/v1/decisions/replay", tags=["service"])
    def replay(who: Who, case: str = "") -> Response:
        """Every logged decision (or a case's) decided again: `same` of `decisions` come out as they were stored."""
        return answer(reviews.replay(who, case))
