"""What people do about how machines are judged: confirm a baseline, say that a sensor was looked at, see what shares a
cause."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.guard import Who
from api.json.answers import wanting
from api.ports import Wanted
from api.problems import not_found
from api.web import Web, back_to


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""
    owners = web.owners

    @router.get("/alarm-groups", include_in_schema=False)
    def groups(request: Request, who: Who, after: str = "") -> Response:
        page = owners.shared_causes(who, wanting(())(Wanted(after=after)))
        return web.page(request, "alarm_groups.html", page=page)

    @router.post("/assets/{asset}/baseline/confirm", include_in_schema=False)
    def confirm(who: Who, asset: str) -> Response:
        if owners.asset(who, asset) is None:
            raise not_found("machine")
        owners.confirm_baseline(who, asset)
        return back_to(f"/assets/{asset}#baseline")

    @router.post("/assets/{asset}/sensors/{signal}/checked", include_in_schema=False)
    def checked(who: Who, asset: str, signal: str) -> Response:
        if not owners.sensor_checked(who, asset, signal):
            raise not_found("signal")
        return back_to(f"/assets/{asset}#sensors")
