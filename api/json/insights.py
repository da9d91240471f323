"""How machines are judged: explanation, quiet log, faulty sensors, baselines."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends
from starlette.responses import Response

from api.guard import Who
from api.json.answers import answer, listed, wanting
from api.json.headers import Match
from api.owners.versions import BASELINE, expect
from api.ports import Wanted
from api.problems import not_found
from api.roles import Principal
from api.web import Web

WantFaults = Annotated[Wanted, Depends(wanting(("standing", "ended")))]
WantGroups = Annotated[Wanted, Depends(wanting(()))]
WantDays = Annotated[Wanted, Depends(wanting((), r"\d{4}-\d{2}-\d{2}"))]


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""
    owners = web.owners
    root = "/api/v1"

    def device_of(who: Principal, asset: str) -> str:
        found = owners.asset(who, asset)
        return found.devices[0] if found is not None and found.devices else ""

    @router.get(f"{root}/assets/{{asset}}/explanation", tags=["work"], summary="Why its score is what it is")
    def explanation(who: Who, asset: str) -> Response:
        found = owners.insight(who, asset)
        if found is None:
            raise not_found("machine")
        with web.shared.database.read() as connection:
            version = BASELINE.one(connection, who.tenant, device_of(who, asset))
        return answer({**msgspec.to_builtins(found), "version": version})

    @router.get(f"{root}/assets/{{asset}}/quiet", tags=["work"], summary="Why odd days raised no alarm, newest first")
    def quiet(who: Who, asset: str, want: WantDays) -> Response:
        found = owners.quiet(who, asset, want)
        if found is None:
            raise not_found("machine")
        return listed(found)

    @router.get(f"{root}/sensor-faults", tags=["work"], summary="Faulty sensors, newest first")
    def sensor_faults(who: Who, want: WantFaults) -> Response:
        return listed(owners.faulty_sensors(who, want))

    @router.get(
        f"{root}/alarm-groups", tags=["work"], summary="Machines in alarm for most likely one cause, newest first"
    )
    def alarm_groups(who: Who, want: WantGroups) -> Response:
        return listed(owners.shared_causes(who, want))

    @router.post(
        f"{root}/assets/{{asset}}/baseline/confirm", tags=["work"], summary="Say that it was healthy while learning"
    )
    def confirm(who: Who, asset: str, match: Match) -> Response:
        if owners.insight(who, asset) is None:
            raise not_found("machine")
        expect(BASELINE, match, who, device_of(who, asset))
        return answer({"confirmed": owners.confirm_baseline(who, asset)})

    @router.post(
        f"{root}/assets/{{asset}}/sensors/{{signal}}/checked", tags=["work"],
        summary="Say that a sensor was looked at and what it shows is right",
    )  # fmt: skip
    def checked(who: Who, asset: str, signal: str) -> Response:
        if not owners.sensor_checked(who, asset, signal):
            raise not_found("signal")
        return answer({"checked": True})
