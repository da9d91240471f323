"""Lists: `{items, next}`, filtered by `?asset= &state=`, continued by `?after=`."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from api.guard import Who
from api.json.answers import NAME, NUMBER, answer, listed, wanted, wanting
from api.owners.versions import CLOCK, DEVICE, numbered
from api.ports import Wanted
from api.problems import bad_field, not_found
from api.views import Health
from api.web import Web
from contracts.records import RESULTS
from contracts.wire import REASONS
from ingest.domain.lifecycle import State as DeviceState
from plumbing.sql import from_us, to_us
from work_orders.domain.case_states import CaseState, IntakeState, NoticeState
from work_orders.domain.order_states import OrderState

Want = Annotated[Wanted, Depends(wanted)]
WantDevices = Annotated[Wanted, Depends(wanting(DeviceState, NAME))]
WantAssets = Annotated[Wanted, Depends(wanting(Health, NAME))]
WantPredictions = Annotated[Wanted, Depends(wanting(IntakeState))]
WantCases = Annotated[Wanted, Depends(wanting(CaseState))]
WantOrders = Annotated[Wanted, Depends(wanting(OrderState))]
WantNotices = Annotated[Wanted, Depends(wanting(NoticeState))]
WantFindings = Annotated[Wanted, Depends(wanting(RESULTS))]
WantRefusals = Annotated[Wanted, Depends(wanting(REASONS, NUMBER))]
MOST_READINGS = 10_000
MOST_DAYS = 400


def moment(field: str, given: str) -> int | None:
    """Epoch microseconds of an RFC 3339 time; None for none given. Raises Problem."""
    if not given:
        return None
    try:
        at = datetime.fromisoformat(given)
    except ValueError as fault:
        raise bad_field(field, given, "an RFC 3339 time with zone, such as 2026-11-22T10:00:00Z") from fault
    if at.tzinfo is None:
        raise bad_field(field, given, "an RFC 3339 time with zone, such as 2026-11-22T10:00:00Z")
    return to_us(at)


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""
    owners = web.owners
    root = "/api/v1"

    @router.get(f"{root}/me", tags=["people"], summary="Who this key or session is")
    def me(who: Who) -> Response:
        return answer({"tenant": who.tenant, "role": who.role, "subject": who.subject, "name": who.name})

    @router.get(f"{root}/devices", tags=["devices"], summary="Registered devices")
    def devices(who: Who, want: WantDevices) -> Response:
        found = owners.devices(who, want)
        return answer({"items": numbered(web.shared.database, DEVICE, who, found.items, "device"), "next": found.next})

    @router.get(f"{root}/devices/{{tenant}}/{{device}}/readings", tags=["devices"], summary="Readings of a device")
    def readings(
        who: Who,
        tenant: str,
        device: str,
        from_: Annotated[str, Query(alias="from", description="RFC 3339; without it the newest readings")] = "",
        to: Annotated[str, Query(description="RFC 3339, not included")] = "",
        signal: str = "",
        limit: int = 1000,
    ) -> Response:
        if tenant != who.tenant or owners.device(who, device) is None:
            raise not_found("device")
        if not 1 <= limit <= MOST_READINGS:
            raise bad_field("limit", limit, f"1 to {MOST_READINGS}")
        begin, end = moment("from", from_), moment("to", to)
        found = web.shared.store.read(
            tenant, device, signals=[signal] if signal else None, from_us=begin, to_us=end,
            limit=limit if begin is None else limit + 1, newest_first=begin is None,
        )  # fmt: skip
        items = [
            {"t": from_us(t), "values": {n: v for n, v in zip(found.signals, row, strict=True) if v == v}}
            for t, row in zip(found.t_us.tolist(), found.values.tolist(), strict=True)
        ]
        following = items.pop()["t"] if len(items) > limit else None
        return answer({"items": items, "next": following})

    @router.get(f"{root}/devices/{{tenant}}/{{device}}/ledger", tags=["devices"], summary="What became of its samples")
    def ledger(
        who: Who, tenant: str, device: str,
        days: Annotated[int, Query(ge=1, le=MOST_DAYS, description="how many days, newest first")] = 7,
        signals: Annotated[bool, Query(description="by signal, too: counted in the telemetry store")] = False,
    ) -> Response:  # fmt: skip
        found = owners.ledger(who, device, days=days, signals=signals) if tenant == who.tenant else None
        if found is None:
            raise not_found("device")
        return answer(found)

    @router.get(f"{root}/assets", tags=["work"], summary="Machines with their present state")
    def assets(who: Who, want: WantAssets) -> Response:
        found = [
            a
            for a in owners.assets(who)
            if want.asset in ("", a.id) and want.state in ("", a.state) and a.id > want.after
        ]
        found.sort(key=lambda a: a.id)
        more = len(found) > want.limit
        page = found[: want.limit]
        return answer({"items": page, "next": page[-1].id if more else None})

    @router.get(f"{root}/predictions", tags=["work"], summary="Forecasts, newest first")
    def predictions(who: Who, want: WantPredictions) -> Response:
        return listed(owners.predictions(who, want))

    @router.get(f"{root}/cases", tags=["work"], summary="Cases, newest first")
    def cases(who: Who, want: WantCases) -> Response:
        return listed(owners.cases(who, want))

    @router.get(f"{root}/work-orders", tags=["work"], summary="Work orders, newest first")
    def orders(who: Who, want: WantOrders) -> Response:
        return listed(owners.orders(who, want))

    @router.get(f"{root}/notices", tags=["work"], summary="Notices to customers, newest first")
    def notices(who: Who, want: WantNotices) -> Response:
        return listed(owners.notices(who, want))

    @router.get(f"{root}/findings", tags=["work"], summary="What technicians found, newest first")
    def findings(who: Who, want: WantFindings) -> Response:
        return listed(owners.findings(who, want))

    @router.get(f"{root}/labels", tags=["learning"], summary="Labels that findings gave (`state` = the verdict)")
    def labels(who: Who, want: WantFindings) -> Response:
        return listed(owners.labels(who, want))

    @router.get(f"{root}/misses", tags=["learning"], summary="Breakdowns that nothing had called for, newest first")
    def misses(who: Who, asset: str = "", limit: Annotated[int, Query(ge=1, le=500)] = 50) -> Response:
        return answer({"items": owners.misses(who, asset, limit), "next": None})

    @router.get(f"{root}/misses/{{finding}}", tags=["learning"], summary="What could have been seen of a breakdown")
    def miss(who: Who, finding: str) -> Response:
        found = owners.miss(who, finding)
        if found is None:
            raise not_found("missed breakdown")
        return answer(found)

    @router.get(f"{root}/quarantine", tags=["devices"], summary="What was not accepted, and why (`state` = the reason)")
    def quarantine(who: Who, want: WantRefusals) -> Response:
        return listed(owners.refusals(who, want))

    @router.get(f"{root}/clock", tags=["system"], summary="The tenant's clock")
    def clock(who: Who) -> Response:
        of = web.clock(who.tenant)
        with web.shared.database.read() as connection:
            version = CLOCK.one(connection, who.tenant)
        return answer(
            {
                "tenant": who.tenant, "now": of.now(), "factor": of.factor,
                "simulated": web.shared.clocks.simulated(who.tenant), "version": version,
            }
        )  # fmt: skip
