"""The web application: routes and errors. Every route is in the table of `api.access`, or the app does not start."""

from collections.abc import Callable

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from api import access
from api.guard import guarded
from api.json import arrival as arrival_json
from api.json import claims, commands, device_commands, door, insights, learned, lists, loading, quarantine, system
from api.json import conversations as conversation_json
from api.json import feedback as feedback_json
from api.json import installed as installed_json
from api.json import overview as overview_json
from api.json import promises as promise_json
from api.json import reports as report_json
from api.json import review as review_json
from api.json import webhooks as webhook_json
from api.pages import (
    aftercare,
    arrival,
    connect,
    customer,
    demo,
    desk,
    device_identity,
    jobs,
    links,
    machines,
    people,
    proving,
    remote,
    review,
    signing_in,
    work,
)
from api.pages import conversations as conversation_pages
from api.pages import device_commands as command_pages
from api.pages import door as door_pages
from api.pages import feedback as feedback_pages
from api.pages import insights as insight_pages
from api.pages import installed as installed_pages
from api.pages import learned as learned_pages
from api.pages import overview as overview_pages
from api.pages import promises as promise_pages
from api.pages import quarantine as quarantine_pages
from api.pages import webhooks as webhook_pages
from api.problems import Problem, bad_field, not_found
from api.shield import Shield
from api.web import HERE, Web

ROUTERS: tuple[Callable[[Web, APIRouter], None], ...] = (
    # before those that take any action
    door.routes, door_pages.routes, jobs.routes, arrival_json.routes, arrival.routes,
    review_json.routes, review.routes, aftercare.routes, links.routes,
    system.routes, lists.routes, loading.routes, commands.routes, claims.routes, signing_in.routes, people.routes,
    insights.routes, insight_pages.routes,
    machines.routes, desk.routes, work.routes, customer.routes, connect.routes, proving.routes, demo.routes,
    quarantine.routes, quarantine_pages.routes, device_commands.routes, command_pages.routes, remote.routes,
    device_identity.routes, learned.routes, learned_pages.routes,
    conversation_json.routes, conversation_pages.routes,
    installed_json.routes, installed_pages.routes,
    overview_json.routes, overview_pages.routes,
    promise_json.routes, promise_pages.routes,
    feedback_json.routes, feedback_pages.routes,
    report_json.routes, webhook_json.routes, webhook_pages.routes,
)  # fmt: skip


def wants_page(request: Request) -> bool:
    """Whether a person looks at the answer."""
    return not request.url.path.startswith("/api/") and "text/html" in request.headers.get("accept", "")


def app(web: Web) -> ASGIApp:
    """Build it. Raises RoutesDiffer."""

    made = FastAPI(
        title="Forewarn", version="0.1.0", docs_url=None, redoc_url=None, openapi_url=None,
        description="Errors are RFC 9457 problem details. Lists are `{items, next}`. Sign in with a session cookie, or"
        " send an API key as `Authorization: Bearer ...`.",
    )  # fmt: skip
    made.router.route_class = guarded(web.shared.database, web.wall)
    for routes in ROUTERS:
        routes(web, made.router)
    system.add_openapi(made)
    served = [(m, r.path) for r in made.routes if isinstance(r, APIRoute) for m in r.methods or ()]
    access.check(served)
    made.mount("/static", StaticFiles(directory=HERE / "static", check_dir=False), name="static")
    _errors(made, web)
    return Shield(made)


def _errors(made: FastAPI, web: Web) -> None:
    def answer(request: Request, problem: Problem) -> Response:
        if not wants_page(request):
            return problem.response()
        if problem.status == 401 and request.method == "GET":
            return RedirectResponse(f"/sign-in?next={request.url.path}", 303)
        return web.problem_page(request, problem)

    async def on_problem(request: Request, failure: Exception) -> Response:
        return answer(request, failure if isinstance(failure, Problem) else Problem(500, ""))

    async def on_http(request: Request, failure: Exception) -> Response:
        status = failure.status_code if isinstance(failure, HTTPException) else 500
        detail = str(failure.detail) if isinstance(failure, HTTPException) else ""
        return answer(request, not_found() if status == 404 else Problem(status, detail))

    async def on_invalid(request: Request, failure: Exception) -> Response:
        faults = failure.errors() if isinstance(failure, RequestValidationError) else []
        all_of_them = [
            bad_field(
                "body" if f["type"] == "json_invalid" else ".".join(str(p) for p in f["loc"][1:]) or "body",
                f.get("input"),
                str(f["msg"]),
            ).extra
            for f in faults
        ]
        first = all_of_them[0] if all_of_them else {"field": "body", "value": None, "rule": "cannot be read"}
        return answer(request, Problem(422, f"{first['field']}: {first['rule']}", **first, errors=all_of_them))

    made.add_exception_handler(Problem, on_problem)
    made.add_exception_handler(HTTPException, on_http)
    made.add_exception_handler(RequestValidationError, on_invalid)

    async def on_data(request: Request, _: Exception) -> Response:
        rule = "a text holds a character that no database keeps (NUL), or a number is too large"
        return answer(request, Problem(422, f"{rule[0].upper()}{rule[1:]}.", field="body", rule=rule))

    made.add_exception_handler(DataError, on_data)

    async def on_fault(request: Request, _: Exception) -> Response:
        # the fault itself is raised again behind this answer, and logged by the server
        return answer(request, Problem(500, "The fault was logged here. Try again, or tell the administrator."))

    made.add_exception_handler(Exception, on_fault)
