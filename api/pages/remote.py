"""What people ask of a machine from afar, on its page: the commands that its asset model declares."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Form
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from api.afar import Tried, afar
from api.command_views import CommandChoice
from api.guard import Who
from api.pages.machines import page_of
from api.problems import Problem, not_found
from api.roles import Principal
from api.views import Asset
from api.web import Web, back_to

ARG = "arg."
"""Form fields that are arguments begin with this."""


def args_of(choice: CommandChoice, given: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The arguments of a form; a number that is none stays text, for the ledger to name it. Empty = the default."""
    out: dict[str, Any] = {}
    for arg in choice.args:
        values = [v.strip() for v in given.get(arg["name"], ()) if v.strip()]
        if arg["kind"] == "signals":
            out[arg["name"]] = values
        elif values:
            out[arg["name"]] = _number(values[0]) if arg["kind"] in ("number", "integer") else values[0]
    return out


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""
    owners = web.owners

    def found_asset(who: Principal, asset: str) -> Asset:
        found = owners.asset(who, asset)
        if found is None:
            raise not_found("machine")
        return found

    @router.get("/assets/{asset}/remote", include_in_schema=False)
    def remote(request: Request, who: Who, asset: str) -> Response:
        found = found_asset(who, asset)
        return web.page(request, "remote.html", asset=found, afar=afar(web, who, found))

    @router.post("/assets/{asset}/commands", include_in_schema=False)
    async def send(request: Request, who: Who, asset: str) -> Response:
        form = await request.form()
        given: dict[str, list[str]] = {}
        for key, value in form.multi_items():
            if isinstance(value, str):
                given.setdefault(key, []).append(value)
        return await run_in_threadpool(_sent, request, who, asset, given)

    def _sent(request: Request, who: Principal, asset: str, given: Mapping[str, Sequence[str]]) -> Response:
        found = found_asset(who, asset)
        device, name, why = (next(iter(given.get(key, ())), "") for key in ("device", "name", "why"))
        known = owners.remote(who, device) if device in found.devices else None
        choice = next((c for c in known.choices if c.name == name), None) if known is not None else None
        if choice is None:
            raise not_found("command")
        args = args_of(choice, {k.removeprefix(ARG): v for k, v in given.items() if k.startswith(ARG)})
        try:
            owners.send_command(who, device, name, args, why=why)
        except Problem as problem:
            if problem.status not in (409, 422):
                raise
            tried = Tried(device, name, args, f"{choice.title or name}: {problem.detail}")
            return page_of(web, request, who, found, tried=tried, status=problem.status)
        return back_to(f"/assets/{asset}#remote")

    @router.post("/assets/{asset}/holds", include_in_schema=False)
    def hold(
        who: Who,
        asset: str,
        kind: Annotated[str, Form(max_length=16)],
        note: Annotated[str, Form(max_length=300)] = "",
    ) -> Response:
        owners.set_hold(who, asset, kind, note)
        return back_to(f"/assets/{asset}#holds")

    @router.post("/assets/{asset}/holds/{hold}/release", include_in_schema=False)
    def release(who: Who, asset: str, hold: str) -> Response:
        if all(h.id != hold for h in owners.holds(who, asset)):
            raise not_found("hold")
        owners.release_hold(who, hold)
        return back_to(f"/assets/{asset}#holds")

    @router.post("/assets/{asset}/guarded", include_in_schema=False)
    async def guarded(request: Request, who: Who, asset: str) -> Response:
        form = await request.form()
        device, switch = str(form.get("device", "")), str(form.get("switch", ""))
        found = await run_in_threadpool(found_asset, who, asset)
        if device not in found.devices or switch not in ("on", "off"):
            raise not_found("device")
        await run_in_threadpool(owners.switch_guarded, who, device, switch == "on")
        return back_to(f"/assets/{asset}#remote")
