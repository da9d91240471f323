"""The page of one message in quarantine: its refusals, the rules that mend it, replay and expiry."""

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from api.guard import Who
from api.owners.quarantine import Quarantine
from api.problems import not_found
from api.roles import Role
from api.web import Web, back_to
from ingest.domain.mapping import Rule

MEND = (Role.ENGINEER, Role.ADMIN)


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""
    of = Quarantine(web.shared)

    @router.get("/quarantine/{entry}", include_in_schema=False)
    def one(request: Request, who: Who, entry: str) -> Response:
        found = of.entry(who, entry)
        if found is None:
            raise not_found("entry")
        device = web.owners.device(who, found.device)
        owners = {("device", found.device), ("model", device.model if device else "")}
        mine = [r for r in of.rules(who) if (r.scope, r.owner) in owners]
        return web.page(request, "quarantined.html", entry=found, rules=mine, mend=who.role in MEND)

    @router.post("/quarantine/{entry}/replay", include_in_schema=False)
    def replay(
        who: Who, entry: str,
        kind: Annotated[str, Form(max_length=16)] = "",
        name: Annotated[str, Form(max_length=200)] = "",
        to: Annotated[str, Form(max_length=200)] = "",
        from_now_on: Annotated[str, Form(max_length=8)] = "",
        all: Annotated[str, Form(max_length=8)] = "",
    ) -> Response:  # fmt: skip
        found = of.entry(who, entry)
        if found is None:
            raise not_found("entry")
        if name:
            of.keep_rules(who, "device", found.device, [Rule(kind, name, to)], from_now_on=bool(from_now_on))
        after: str | None = ""
        while after is not None:
            done = of.replay(who, device=found.device, after=after) if all else of.replay(who, ids=[entry])
            after = done.next if all else None
        return back_to(f"/quarantine/{entry}")

    @router.post("/quarantine/{entry}/expire", include_in_schema=False)
    def expire(who: Who, entry: str) -> Response:
        if of.entry(who, entry) is None:
            raise not_found("entry")
        of.expire(who, ids=[entry])
        return back_to(f"/quarantine/{entry}")
