"""Webhooks for programs: events out."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field
from starlette.responses import Response

from api.guard import Who
from api.json.answers import NUMBER, answer, wanting
from api.json.commands import Body
from api.json.headers import Key, Match
from api.owners.webhooks import Webhooks
from api.ports import Wanted
from api.web import Web
from work_orders.domain.webhooks import Reach
from work_orders.queries.webhooks import STATES

WantDeliveries = Annotated[Wanted, Depends(wanting(STATES, NUMBER))]


class WebhookBody(Body):
    """Where events go, and which: `*`, `case.*`, `case.opened`."""

    url: str = Field(max_length=500)
    types: list[str] = Field(["*"], max_length=50)


class MoveWebhookBody(Body):
    """`after`: for `replay`, the number in the chain behind which all is sent again."""

    after: int = Field(0, ge=0)


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""
    hooks, root = Webhooks(web.shared, Reach(web.settings.webhook_networks)), "/api/v1/webhooks"

    @router.get(root, tags=["events"], summary="Webhooks, with what waits and what is dead")
    def webhooks(who: Who) -> Response:
        return answer({"items": hooks.all(who), "next": None})

    @router.post(root, tags=["events"], summary="Add a webhook; its secret is in this answer alone")
    def add(who: Who, body: WebhookBody, key: Key = "") -> Response:
        made = hooks.add(who, body.url, body.types, key)
        return answer({"webhook": hooks.one(who, made.id), "secret": made.secret or None}, 201 if made.secret else 200)

    @router.get(
        f"{root}/{{webhook}}/deliveries", tags=["events"], summary="Events of a webhook: pending, delivered, dead"
    )
    def deliveries(who: Who, webhook: str, want: WantDeliveries) -> Response:
        found = hooks.deliveries(who, webhook, want.state, int(want.after or 0), want.limit)
        return answer({"items": found, "next": str(found[-1].seq) if len(found) == want.limit else None})

    @router.post(
        f"{root}/{{webhook}}/{{action}}", tags=["events"],
        summary="pause, resume, rotate, retry_dead, replay, remove; with If-Match",
    )  # fmt: skip
    def move(who: Who, webhook: str, action: str, match: Match, body: MoveWebhookBody | None = None) -> Response:
        made = hooks.move(who, webhook, action, match, body.after if body else 0)
        if action == "remove":
            return answer({"webhook": None})
        told = {"webhook": hooks.one(who, webhook), **({"secret": made.secret} if made.secret else {})}
        return answer(told, secret=bool(made.secret))
