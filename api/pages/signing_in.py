"""Sign in by password or one-time link, sign out, the way home."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api import service
from api.guard import COOKIE, Who
from api.problems import Problem
from api.web import HOME, Web, back_to, local_address


def with_session(web: Web, response: Response, opened: service.Session) -> Response:
    """Put the session's cookie into an answer."""
    response.set_cookie(
        COOKIE, opened.cookie, max_age=int(service.SESSION.total_seconds()), httponly=True, samesite="lax",
        secure=web.settings.secure, path="/",
    )  # fmt: skip
    return response


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""
    database = web.shared.database

    def at(tenant: str) -> datetime:
        return web.clock(tenant).now()

    @router.get("/", include_in_schema=False)
    def home(who: Who) -> Response:
        return back_to(HOME[who.role])

    @router.get("/sign-in", include_in_schema=False)
    def form(request: Request, next: str = "") -> Response:
        tenant = web.settings.default_tenant
        return web.page(request, "sign_in.html", next=next, fault="", tenant=tenant, email="")

    @router.post("/sign-in", include_in_schema=False)
    def sign_in(
        request: Request,
        email: Annotated[str, Form(max_length=200)],
        password: Annotated[str, Form(max_length=400)],
        tenant: Annotated[str, Form(max_length=64)] = "",
        next: Annotated[str, Form(max_length=500)] = "",
    ) -> Response:
        of = tenant.strip() or web.settings.default_tenant
        address = request.client.host if request.client else ""
        try:
            opened = service.sign_in(database, web.wall(), of, email, password, address, at)
        except service.WrongPassword:
            said, status = "No account has this e-mail address and password.", 401
        except service.TooManyTries:
            said, status = "Too many tries. Wait a quarter of an hour, or ask for a sign-in link.", 429
        else:
            return with_session(web, back_to(local_address(next, HOME[opened.account.role])), opened)
        return web.page(request, "sign_in.html", status, next=next, fault=said, tenant=of, email=email)

    @router.get("/sign-in/link/{link}", include_in_schema=False)
    def by_link(request: Request, link: str) -> Response:
        try:
            opened = service.use_link(database, web.wall(), link, at)
        except service.UnknownLink:
            said = "This link was used already or is too old. `forewarn link ROLE` makes a new one."
            raise Problem(403, said) from None
        return with_session(web, back_to(HOME[opened.account.role]), opened)

    @router.post("/sign-out", include_in_schema=False)
    def sign_out(request: Request, who: Who) -> Response:
        cookie = request.cookies.get(COOKIE)
        if cookie and who.csrf is not None:
            service.end_session(database, cookie, who, web.now(who))
        answer = RedirectResponse("/sign-in", 303)
        answer.delete_cookie(COOKIE, path="/")
        return answer
