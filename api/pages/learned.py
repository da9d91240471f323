"""Learned models on a page: what is on record, how each does since, to train, promote and roll back."""

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from anomaly.domain.learned_states import IllegalMove, Kind
from anomaly.training import registry
from anomaly.training.asking import ask, trainings
from anomaly.training.files import BadModel
from anomaly.training.promoting import promote
from anomaly.training.registry import NoSuchModel, NotBetter, NothingBefore
from anomaly.training.watched import watch
from api.guard import Who
from api.problems import Problem, bad_field, not_found
from api.web import Web, back_to

SHOWN_TRAININGS = 5
HERE = "/learned"


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""
    shared, owners = web.shared, web.owners

    @router.get("/learned", include_in_schema=False)
    def learned(request: Request, who: Who) -> Response:
        now, titles = web.clock(who.tenant).now(), dict(owners.models())
        found = registry.learned(shared.database, who.tenant)
        kinds = sorted({a.model for a in owners.assets(who)})
        return web.page(
            request, "learned.html", models=[(x, watch(shared.database, who.tenant, x, now)) for x in found],
            kinds=[(name, titles.get(name, name)) for name in kinds],
            live={x.asset_model for x in found if x.state == "live"},
            trainings=trainings(shared.database, who.tenant, limit=SHOWN_TRAININGS),
        )  # fmt: skip

    @router.post("/learned/train", include_in_schema=False)
    def train(who: Who, asset_model: Annotated[str, Form(max_length=64)]) -> Response:
        if shared.models(asset_model) is None:
            raise bad_field("asset_model", asset_model, "there is no asset model of this name")
        ask(shared.database, who.tenant, asset_model, who.actor, web.clock(who.tenant).now())
        return back_to(HERE)

    @router.post("/learned/rollback", include_in_schema=False)
    def rollback(
        who: Who, asset_model: Annotated[str, Form(max_length=64)], kind: Annotated[Kind | None, Form()] = None
    ) -> Response:
        try:
            registry.rollback(shared.database, who.tenant, asset_model, web.clock(who.tenant).now(), who.actor, kind)
        except NothingBefore as no:
            raise Problem(409, str(no)) from no
        return back_to(HERE)

    @router.post("/learned/{learned}/promote", include_in_schema=False)
    def make_live(who: Who, learned: str) -> Response:
        now = web.clock(who.tenant).now()
        try:
            promote(shared.database, shared.home, who.tenant, learned, now, who.actor)
        except NoSuchModel as no:
            raise not_found("learned model") from no
        except (IllegalMove, NotBetter, BadModel) as no:
            raise Problem(409, str(no)) from no
        return back_to(HERE)
