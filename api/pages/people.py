"""Who may sign in (for admins), and one's own password."""

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from api import service
from api.guard import Who
from api.problems import Problem, bad_field, not_found
from api.roles import Principal, Role
from api.web import Web, back_to


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""
    database = web.shared.database

    def people(request: Request, who: Principal, status: int = 200, fault: str = "", link: str = "") -> Response:
        found = service.list_accounts(database, who.tenant)
        return web.page(request, "people.html", status, people=found, all_roles=tuple(Role), fault=fault, link=link)

    @router.get("/people", include_in_schema=False)
    def everybody(request: Request, who: Who) -> Response:
        return people(request, who)

    @router.post("/people", include_in_schema=False)
    def add(
        request: Request,
        who: Who,
        name: Annotated[str, Form(max_length=200)],
        email: Annotated[str, Form(max_length=200)],
        role: Annotated[str, Form(max_length=20)],
        subject: Annotated[str, Form(max_length=64)] = "",
    ) -> Response:
        try:
            service.add_account(database, web.wall(), who, web.now(who), role, subject.strip(), name, email)
        except service.BadAccount as bad:
            return people(request, who, 422, f"{bad.field}: {bad.rule}")
        return back_to("/people")

    @router.post("/people/{account}/link", include_in_schema=False)
    def link(request: Request, who: Who, account: str) -> Response:
        found = next((a for a in service.list_accounts(database, who.tenant) if a.id == account), None)
        if found is None:
            raise not_found("account")
        made = service.link_for(database, web.wall(), found, by=who, at=web.now(who))
        return people(request, who, link=web.address(request) + made)

    @router.post("/people/{account}/close", include_in_schema=False)
    def close(who: Who, account: str) -> Response:
        if account == who.account:
            raise Problem(409, "You cannot close your own account.")
        if not service.close_account(database, web.wall(), who, web.now(who), account):
            raise not_found("account")
        return back_to("/people")

    @router.get("/account", include_in_schema=False)
    def own(request: Request, who: Who) -> Response:
        return web.page(request, "account.html", done=False)

    @router.post("/account/password", include_in_schema=False)
    def password(request: Request, who: Who, password: Annotated[str, Form(max_length=400)]) -> Response:
        if who.csrf is None:
            raise Problem(403, "An API key has no password.")
        try:
            service.set_password(database, who.account, password, who, web.now(who))
        except service.BadAccount as bad:
            raise bad_field(bad.field, "", bad.rule) from None
        return web.page(request, "account.html", done=True)
