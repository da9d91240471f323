"""The page of commands: what was asked of which device, and what waits for a second person."""

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from api.guard import Who
from api.json.device_commands import WantCommands
from api.problems import not_found
from api.web import Web, back_to, local_address


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""
    owners = web.owners

    @router.get("/commands", include_in_schema=False)
    def commands(request: Request, who: Who, want: WantCommands) -> Response:
        return web.page(request, "commands.html", page=owners.commands(who, want), want=want)

    @router.post("/commands/{command}/{action}", include_in_schema=False)
    def move(who: Who, command: str, action: str, next: Annotated[str, Form(max_length=500)] = "/commands") -> Response:
        if owners.move_command(who, command, action) is None:
            raise not_found("command")
        return back_to(local_address(next, "/commands"))
