"""What machines ask: is it alive, is it ready, what does it measure, what can it do, what happens."""

from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from api import access, metrics, service
from api.guard import COOKIE, Who
from api.json.answers import answer
from api.ledger_metrics import LedgerMetrics
from api.problems import Problem, bad_field
from api.roles import Principal
from api.web import Web
from plumbing import migrate

MAX_SEQ = 2**62


def since(request: Request) -> int | None:
    """Where a stream goes on: `Last-Event-ID` (a browser that comes back), else `?since=`, else now. Raises Problem."""
    for field, given in (
        ("Last-Event-ID", request.headers.get("last-event-id")),
        ("since", request.query_params.get("since")),
    ):
        if given is None or given == "":
            continue
        if not (given.isascii() and given.isdigit() and int(given[:20]) <= MAX_SEQ and len(given) < 20):
            raise bad_field(field, given, "the number of an event")
        return int(given)
    return None


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""
    shared = web.shared
    ledger = LedgerMetrics(shared)

    @router.get("/healthz", tags=["system"], summary="Whether the process lives")
    async def healthz() -> Response:
        return answer({"status": "ok"})

    @router.get("/readyz", tags=["system"], summary="Whether all parts are ready; 503 names what is not")
    def readyz() -> Response:
        wrong = dict(web.unwell())
        try:
            migrate.check(shared.database)
        except migrate.NotMigrated as old:
            wrong["database"] = str(old)
        if not shared.store.ready():
            wrong["telemetry store"] = "does not answer"
        return answer({"status": "not ready" if wrong else "ready", "wrong": wrong}, 503 if wrong else 200)

    @router.get("/metrics", tags=["system"], summary="Measurements in Prometheus' text format")
    def measurements(request: Request) -> Response:
        who = request.state.who
        tenant = who.tenant if isinstance(who, Principal) and who.sees_all else None
        return Response(metrics.text() + ledger.text(tenant), media_type="text/plain; version=0.0.4")

    @router.get("/events", tags=["system"], summary="Stream of what happens (server-sent events), and a tick a second")
    async def events(request: Request, who: Who) -> Response:
        after = since(request)
        cookie = request.cookies.get(COOKIE) if who.csrf is not None else None

        def still() -> bool:
            return cookie is None or service.who_by_cookie(shared.database, web.wall(), cookie) is not None

        stream = web.live.stream(who, after, lambda: web.owners.mine(who), still)
        return StreamingResponse(
            stream, media_type="text/event-stream", headers={"X-Accel-Buffering": "no", "Cache-Control": "no-store"}
        )


PROBLEM = {
    "type": "object",
    "description": "RFC 9457; more members by kind: field, value, rule, errors (422), state and allowed (409).",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"}, "title": {"type": "string"}, "status": {"type": "integer"},
        "detail": {"type": "string"}, "field": {"type": "string"}, "value": {}, "rule": {"type": "string"},
        "state": {"type": "string"}, "allowed": {"type": "array", "items": {"type": "string"}},
        "errors": {"type": "array", "items": {"type": "object"}},
    },
    "additionalProperties": True,
}  # fmt: skip
MEANS = {
    "401": "Nobody is signed in, or the API key is not good",
    "403": "This role may not",
    "404": "It does not exist, or belongs to others",
    "409": "Not in its present state",
    "412": "Somebody was faster: `version` is what is current",
    "422": "A field cannot be taken",
}


def with_errors(schema: dict[str, Any]) -> dict[str, Any]:
    """The description with the answers that every route can give besides the good one, all of one shape."""
    schema.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM
    for unused in ("HTTPValidationError", "ValidationError"):
        schema["components"]["schemas"].pop(unused, None)
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            if not path.startswith("/api/") and path != "/events":
                continue
            open_to_all = access.TABLE[f"{method.upper()} {path}"] is None
            said = [] if open_to_all else ["401", "403"]
            said += ["404"] * ("{" in path) + ["409", "412"] * (method == "post") + ["422"]
            operation["responses"] |= {status: {"description": MEANS[status], "content": content} for status in said}
    return schema


def add_openapi(made: FastAPI) -> None:
    """The description of the JSON API, made once."""
    for route in made.router.routes:
        if getattr(route, "path", "") == "/openapi.json":
            raise Problem(500, "given twice")
    schema: dict[str, Any] = {}

    async def openapi() -> Response:
        if not schema:
            schema.update(with_errors(made.openapi()))
        return answer(schema)

    made.router.add_api_route("/openapi.json", openapi, methods=["GET"], include_in_schema=False)
