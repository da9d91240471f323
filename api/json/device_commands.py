"""Commands to devices: send, look, approve, cancel; guarded commands of an asset; holds; guided diagnoses."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from api.guard import Who
from api.json.answers import answer, listed, wanting
from api.json.headers import Match
from api.json.lists import Want
from api.owners.versions import COMMAND, GUARDED, HOLD, Thing, expect, numbered
from api.ports import Wanted
from api.problems import bad_field, not_found
from api.roles import Principal
from api.views import Page
from api.web import Web
from ingest.domain.commanding import State

WantCommands = Annotated[Wanted, Depends(wanting(State, r"[A-Za-z0-9_.:-]{1,80}"))]


class CommandBody(BaseModel):
    """A command to send; `lifetime_s` in wall seconds (default by risk)."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(max_length=64)
    args: dict[str, Any] = {}
    lifetime_s: float | None = None
    case: str = Field("", max_length=80)
    why: str = Field("", max_length=300)


class SwitchBody(BaseModel):
    """On or off."""

    model_config = ConfigDict(extra="forbid")
    on: bool


class HoldBody(BaseModel):
    """What stands against guarded commands."""

    model_config = ConfigDict(extra="forbid")
    kind: Literal["permit", "lockout"]
    note: str = Field("", max_length=300)


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""
    owners, root = web.owners, "/api/v1"

    def shown(thing: Thing, who: Principal, found: object | None, what: str, name: str) -> Response:
        if found is None:
            raise not_found(what)
        return answer(numbered(web.shared.database, thing, who, [found], name)[0])

    @router.get(f"{root}/commands", tags=["commands"], summary="Commands to devices (`asset` = a device's name)")
    def commands(who: Who, want: WantCommands) -> Response:
        return listed(owners.commands(who, want))

    @router.get(f"{root}/commands/{{command}}", tags=["commands"], summary="One command with its result")
    def command(who: Who, command: str) -> Response:
        return shown(COMMAND, who, owners.command(who, command), "command", "id")

    @router.get(f"{root}/devices/{{tenant}}/{{device}}/commands", tags=["commands"], summary="What may be asked of it")
    def remote(who: Who, tenant: str, device: str) -> Response:
        found = owners.remote(who, device) if tenant == who.tenant else None
        return shown(GUARDED, who, found, "device", "device")

    @router.post(f"{root}/devices/{{tenant}}/{{device}}/commands", tags=["commands"], summary="Send a command")
    def send(who: Who, tenant: str, device: str, body: CommandBody) -> Response:
        if tenant != who.tenant or owners.device(who, device) is None:
            raise not_found("device")
        made = owners.send_command(
            who, device, body.name, body.args, lifetime_s=body.lifetime_s, case_id=body.case, why=body.why
        )
        return answer(made, 201)

    @router.post(f"{root}/commands/{{command}}/{{action}}", tags=["commands"], summary="approve or cancel a command")
    def move(who: Who, command: str, action: str, match: Match) -> Response:
        expect(COMMAND, match, who, command)
        return _or_404(owners.move_command(who, command, action), "command")

    @router.post(
        f"{root}/devices/{{tenant}}/{{device}}/guarded", tags=["commands"], summary="Switch guarded commands on or off"
    )
    def guarded(who: Who, tenant: str, device: str, body: SwitchBody, match: Match) -> Response:
        if tenant != who.tenant:
            raise not_found("device")
        expect(GUARDED, match, who, device)
        return _or_404(owners.switch_guarded(who, device, body.on), "device")

    @router.get(f"{root}/assets/{{asset}}/holds", tags=["commands"], summary="Open permits and lock-outs")
    def holds(who: Who, asset: str) -> Response:
        if owners.asset(who, asset) is None:
            raise not_found("machine")
        found = owners.holds(who, asset)
        return answer({"items": numbered(web.shared.database, HOLD, who, found, "id"), "next": None})

    @router.post(f"{root}/assets/{{asset}}/holds", tags=["commands"], summary="Record an open permit or a lock-out")
    def hold(who: Who, asset: str, body: HoldBody) -> Response:
        return answer({"id": owners.set_hold(who, asset, body.kind, body.note)}, 201)

    @router.post(f"{root}/holds/{{hold}}/release", tags=["commands"], summary="It stands no more")
    def release(who: Who, hold: str, match: Match) -> Response:
        expect(HOLD, match, who, hold)
        return answer({"id": hold, "released": owners.release_hold(who, hold)})

    @router.get(f"{root}/diagnoses", tags=["work"], summary="Guided diagnoses with their evidence")
    def diagnoses(who: Who, want: Want) -> Response:
        for field, given in (("state", want.state), ("after", want.after)):
            if given:
                raise bad_field(field, given, "diagnoses are listed by `asset` and `limit` alone")
        return listed(Page(owners.examinations(who, asset=want.asset, limit=want.limit)))


def _or_404(found: object | None, what: str) -> Response:
    if found is None:
        raise not_found(what)
    return answer(found)
