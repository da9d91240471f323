"""Runs before every handler: who is it, may this role call this route, and does the request come from our own pages."""

import secrets
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Depends
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import compile_path

from api import access, idempotency, metrics, service
from api.problems import Problem
from api.roles import Principal
from contracts.names import is_name
from plumbing import audit
from plumbing.sql import Database

COOKIE = "forewarn_session"
CSRF_FIELD, CSRF_HEADER = "csrf", "x-csrf-token"
SAFE = ("GET", "HEAD", "OPTIONS")
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


def identify(database: Database, wall: datetime, request: Request) -> Principal | None:
    """The principal of a request: API key first, else session. Raises Problem for a key that is not good."""
    header = request.headers.get("authorization")
    if header is not None:
        scheme, _, value = header.partition(" ")
        found = service.who_by_key(database, value.strip()) if scheme.lower() == "bearer" else None
        if found is None:
            raise Problem(401, "This API key is unknown or revoked.")
        return in_tenant(found, request)
    cookie = request.cookies.get(COOKIE)
    return service.who_by_cookie(database, wall, cookie) if cookie else None


def in_tenant(who: Principal, request: Request) -> Principal:
    """A key of the whole installation acts in the tenant that the request names, else in the one it was made for."""
    if who.tenant != service.EVERY_TENANT:
        return who
    named = request.path_params.get("tenant") or request.query_params.get("tenant") or who.subject
    if not is_name(named):
        raise Problem(422, "tenant: must be a name", field="tenant", value=named[:200], rule="must be a name")
    return replace(who, tenant=named, subject="")


def same_origin(request: Request) -> bool:
    """Whether a browser says that the request comes from our own pages (true where it says nothing)."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host", "")


async def _check_form(request: Request, who: Principal | None) -> None:
    if not same_origin(request):
        raise Problem(403, "This request comes from another site.")
    if who is None or who.csrf is None:
        return
    given = request.headers.get(CSRF_HEADER)
    if given is None and request.headers.get("content-type", "").split(";")[0].strip().lower() in FORMS:
        field = (await request.form()).get(CSRF_FIELD)
        given = field if isinstance(field, str) else None
    if given is None or not secrets.compare_digest(given.encode(), who.csrf.encode()):
        raise Problem(403, "The form is too old, or does not come from this session. Load the page again.")


def guarded(database: Database, wall: Callable[[], datetime]) -> type[APIRoute]:
    """The route class of the app: no handler runs before the table of `api.access` allows it.

    A route knows at once what it is found by; the rest is made when it is first called or described.
    """

    class Guarded(APIRoute):
        def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
            self.path, self.endpoint, self.name = path, endpoint, endpoint.__name__
            self.methods = {method.upper() for method in options["methods"]}
            self.path_regex, self.path_format, self.param_convertors = compile_path(path)
            self._make = partial(super().__init__, path, endpoint, **options)

        def __getattr__(self, name: str) -> Any:
            """Make what calls and describes the route when it is asked for first, by several threads alike.

            It takes milliseconds for each of some 250 routes, of which few are called soon after a start.
            """
            if "app" not in vars(self):  # the last that is made
                self._make()
            return object.__getattribute__(self, name)

        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle, path = super().get_route_handler(), self.path
            own_key = any(p.alias.lower() == idempotency.HEADER for p in self.dependant.header_params)

            async def handler(request: Request) -> Response:
                began, status = time.perf_counter(), 500
                try:
                    response = await allowed(request)
                    status = response.status_code
                    return response
                except Problem as problem:
                    status = problem.status
                    raise
                finally:
                    metrics.answered(request.method, path, status, time.perf_counter() - began)

            async def allowed(request: Request) -> Response:
                roles = access.allowed(request.method, path)
                who = await run_in_threadpool(identify, database, wall(), request)
                if roles is not None:
                    if who is None:
                        raise Problem(401, "Sign in, or send an API key as `Authorization: Bearer ...`.")
                    if who.role not in roles:
                        raise Problem(403, f"This is not for the role {who.role}.")
                if request.method not in SAFE:
                    await _check_form(request, who if roles is not None else None)
                request.state.who = who
                key = request.headers.get(idempotency.HEADER)
                if key is None or who is None or own_key or request.method in SAFE or not path.startswith("/api/"):
                    return await handle(request)
                return await once(request, who, key)

            async def once(request: Request, who: Principal, key: str) -> Response:
                """A change whose route leaves its key to us."""
                idempotency.check_size(request.headers)  # before it is read into memory
                claim = idempotency.claim_of(
                    who, key, request.method, f"{request.url.path}?{request.url.query}", await request.body(), wall()
                )  # fmt: skip
                known = await run_in_threadpool(idempotency.take, database, claim)
                if known is not None:
                    return known
                response: Response | None = None
                audit.heard_by.set(claim.made)
                try:
                    response = await handle(request)
                    return response
                finally:
                    audit.heard_by.set(None)
                    await run_in_threadpool(idempotency.settle, database, claim, response)

            return handler

    return Guarded


def _who(request: Request) -> Principal:
    found = request.state.who
    if not isinstance(found, Principal):
        raise Problem(401, "Sign in first.")
    return found


Who = Annotated[Principal, Depends(_who)]
"""The principal of a route that the table does not open to everybody."""
