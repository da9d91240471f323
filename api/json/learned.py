"""Learned models for engineers: what is on record, their cards, trainings, promotion and rollback."""

from fastapi import APIRouter
from pydantic import Field
from starlette.responses import HTMLResponse, Response

from anomaly.domain.learned_states import IllegalMove, Kind
from anomaly.training import registry
from anomaly.training.asking import ask, training, trainings
from anomaly.training.files import BadModel
from anomaly.training.promoting import promote
from anomaly.training.registry import Learned, NoSuchModel, NotBetter, NothingBefore
from anomaly.training.watched import watch
from api.guard import Who
from api.json.answers import answer
from api.json.commands import Body
from api.json.headers import Match
from api.owners.versions import LEARNED, MODELS, expect, numbered
from api.problems import Problem, bad_field, not_found
from api.roles import Principal
from api.web import Web


class ModelBody(Body):
    """Which asset model."""

    asset_model: str = Field(max_length=64)


class LiveBody(ModelBody):
    """Which live model of an asset model; without a kind the one that was made live last."""

    kind: Kind | None = None


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""
    shared, root = web.shared, "/api/v1"

    def one(who: Principal, id: str) -> Learned:
        try:
            return registry.one(shared.database, who.tenant, id)
        except NoSuchModel as no:
            raise not_found("learned model") from no

    @router.get(f"{root}/learned", tags=["learning"], summary="Learned models, newest first")
    def listed(who: Who, asset_model: str = "") -> Response:
        found = registry.learned(shared.database, who.tenant, asset_model=asset_model or None)
        items = numbered(shared.database, LEARNED, who, found, "id")
        if not asset_model:
            return answer({"items": items, "next": None})
        with shared.database.read() as connection:
            version = MODELS.one(connection, who.tenant, asset_model)
        return answer({"items": items, "next": None, "version": version})

    @router.get(f"{root}/learned/{{learned}}", tags=["learning"], summary="A learned model with all its moves")
    def show(who: Who, learned: str) -> Response:
        found = one(who, learned)
        since = watch(shared.database, who.tenant, found, web.clock(who.tenant).now())
        became = registry.moves(shared.database, who.tenant, found.id)
        model = numbered(shared.database, LEARNED, who, [found], "id")[0]
        return answer({"model": model, "since": since, "moves": became, "version": model["version"]})

    @router.get(f"{root}/learned/{{learned}}/card", tags=["learning"], summary="Its card, a page")
    def card(who: Who, learned: str) -> Response:
        try:
            return HTMLResponse(
                registry.card_of(shared.home, who.tenant, one(who, learned)),
                headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox"},
            )
        except BadModel as bad:
            raise Problem(409, str(bad)) from bad

    @router.post(
        f"{root}/learned/{{learned}}/promote", tags=["learning"], summary="Make a shadow live, if it is better"
    )
    def make_live(who: Who, learned: str, match: Match) -> Response:
        found, now = one(who, learned), web.clock(who.tenant).now()
        expect(LEARNED, match, who, learned)
        try:
            return answer(promote(shared.database, shared.home, who.tenant, found.id, now, who.actor))
        except IllegalMove as no:
            raise Problem(409, str(no), state=no.state, allowed=list(no.allowed)) from no
        except NotBetter as no:
            raise Problem(409, str(no), comparison=no.comparison) from no
        except BadModel as bad:
            raise Problem(409, str(bad)) from bad

    @router.post(
        f"{root}/learned/rollback", tags=["learning"], summary="The live model goes, the one before comes back"
    )
    def back(who: Who, body: LiveBody, match: Match) -> Response:
        """`If-Match` is about all models of this asset model, as `GET /api/v1/learned?asset_model=` shows them."""
        expect(MODELS, match, who, body.asset_model)
        now = web.clock(who.tenant).now()
        try:
            gone, live = registry.rollback(shared.database, who.tenant, body.asset_model, now, who.actor, body.kind)
        except NothingBefore as no:
            raise Problem(409, str(no)) from no
        return answer({"retired": gone, "live": live})

    @router.get(f"{root}/trainings", tags=["learning"], summary="Trainings, newest first")
    def asked(who: Who) -> Response:
        return answer({"items": trainings(shared.database, who.tenant), "next": None})

    @router.post(f"{root}/trainings", tags=["learning"], summary="Train a model of a kind of machine on what is stored")
    def train(who: Who, body: ModelBody) -> Response:
        if shared.models(body.asset_model) is None:
            raise bad_field("asset_model", body.asset_model, "there is no asset model of this name")
        now = web.clock(who.tenant).now()
        return answer(ask(shared.database, who.tenant, body.asset_model, who.actor, now), 201)

    @router.get(f"{root}/trainings/{{training}}", tags=["learning"], summary="How a training goes")
    def how(who: Who, training: str) -> Response:
        found = _training(shared.database, who.tenant, training)
        if found is None:
            raise not_found("training")
        return answer(found)


_training = training
