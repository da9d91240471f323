"""The one table of routes and roles: what is not listed here cannot be called. Tests walk it for every route."""

from collections.abc import Iterable

from api.roles import OFFICE, Role

Allowed = frozenset[Role] | None
"""None = open to everybody, signed in or not."""

EVERYBODY = frozenset(Role)
PEOPLE = frozenset({Role.CUSTOMER, *OFFICE})
CREW = frozenset({Role.TECHNICIAN, *OFFICE})
DESK = frozenset({Role.DISPATCHER, Role.ADMIN})
FLOOR = frozenset({Role.DISPATCHER, Role.ENGINEER, Role.ADMIN})
WORKSHOP = frozenset({Role.ENGINEER, Role.ADMIN})
ADMIN = frozenset({Role.ADMIN})
CUSTOMER = frozenset({Role.CUSTOMER})
TECHNICIAN = frozenset({Role.TECHNICIAN})
ANSWER = frozenset({Role.CUSTOMER, Role.DISPATCHER, Role.ADMIN})
WORK = frozenset({Role.TECHNICIAN, Role.DISPATCHER, Role.ADMIN})

_OPEN = (
    "GET /openapi.json", "GET /healthz", "GET /readyz", "GET /metrics", "GET /sign-in", "POST /sign-in",
    "GET /sign-in/link/{link}", "POST /api/v1/claims", "GET /report/{token}", "POST /report/{token}",
    "GET /reports/{token}",
)  # fmt: skip
_API = "/api/v1"

TABLE: dict[str, Allowed] = {
    **dict.fromkeys(_OPEN, None),
    "GET /": EVERYBODY,
    "POST /sign-out": EVERYBODY,
    "GET /account": EVERYBODY,
    "POST /account/password": EVERYBODY,
    "GET /events": EVERYBODY,
    # pages
    "GET /fleet": OFFICE,
    "GET /alarm-groups": OFFICE,
    "GET /assets/{asset}": EVERYBODY,
    "GET /assets/{asset}/remote": CREW,
    "POST /assets/{asset}/commands": CREW,
    "POST /assets/{asset}/guarded": WORKSHOP,
    "POST /assets/{asset}/holds": CREW,
    "POST /assets/{asset}/holds/{hold}/release": CREW,
    "POST /assets/{asset}/breakdown": EVERYBODY,
    "POST /assets/{asset}/baseline/confirm": WORKSHOP,
    "POST /assets/{asset}/sensors/{signal}/checked": FLOOR,
    "GET /charts/assets/{asset}/{signal}": EVERYBODY,
    "GET /charts/cases/{case}": OFFICE,
    "GET /charts/notices/{notice}": PEOPLE,
    "GET /charts/orders/{order}": CREW,
    "GET /cases": OFFICE,
    "GET /cases/{case}": OFFICE,
    "POST /cases/{case}/{action}": DESK,
    "GET /orders": OFFICE,
    "GET /orders/{order}": CREW,
    "POST /orders/{order}/finding": WORK,
    "POST /orders/{order}/{action}": WORK,
    "POST /orders/{order}/tasks/{n}/{action}": WORK,
    "POST /orders/{order}/visit/{action}": WORK,
    "POST /orders/{order}/files": CREW,
    "POST /orders/{order}/permits": WORK,
    "POST /orders/{order}/permits/{permit}/release": WORK,
    "POST /orders/{order}/actuals": WORK,
    "GET /files/{attachment}": EVERYBODY,
    "GET /assets/{asset}/report": EVERYBODY,
    "POST /assets/{asset}/report": EVERYBODY,
    "GET /assets/{asset}/label": FLOOR,
    "POST /assets/{asset}/label": FLOOR,
    "GET /requests": DESK,
    "POST /requests": DESK,
    "POST /requests/{request_id}/place": DESK,
    "GET /review": DESK,
    "GET /autonomy": OFFICE,
    "POST /autonomy": FLOOR,
    "GET /incidents": OFFICE,
    "POST /incidents": DESK,
    "GET /incidents/{incident}": OFFICE,
    "POST /incidents/{incident}/{action}": DESK,
    "GET /my-jobs": TECHNICIAN,
    "GET /my-machines": CUSTOMER,
    "GET /notices": PEOPLE,
    "GET /notices/{notice}": PEOPLE,
    "POST /notices/{notice}/{reply}": ANSWER,
    "GET /inbox": DESK,
    "GET /connect": WORKSHOP,
    "POST /connect": WORKSHOP,
    "GET /connect/{device}": WORKSHOP,
    "GET /prove": WORKSHOP,
    "POST /prove": WORKSHOP,
    "GET /prove/{trial}": WORKSHOP,
    "POST /prove/{trial}": WORKSHOP,
    "POST /prove/{trial}/drop": WORKSHOP,
    "GET /prove/{trial}/{file}": WORKSHOP,
    "GET /devices": OFFICE,
    "GET /devices/{device}": OFFICE,
    "POST /devices/{device}/revoke": ADMIN,
    "POST /devices/{device}/suspend": ADMIN,
    "POST /devices/{device}/resume": ADMIN,
    "POST /devices/{device}/claim-code": WORKSHOP,
    "POST /devices/{device}/certificate": WORKSHOP,
    "POST /devices/{device}/certificate/revoke": ADMIN,
    "GET /quarantine": OFFICE,
    "GET /quarantine/{entry}": OFFICE,
    "POST /quarantine/{entry}/replay": WORKSHOP,
    "POST /quarantine/{entry}/expire": WORKSHOP,
    "GET /promises": OFFICE,
    "POST /promises/rules": ADMIN,
    "POST /promises/rules/{n}/drop": ADMIN,
    "POST /promises/calendars": ADMIN,
    "POST /promises/sites/{site}": ADMIN,
    "POST /cases/{case}/clock/{action}": DESK,
    "GET /plans": OFFICE,
    "POST /plans/{plan}/{action}": DESK,
    "POST /assets/{asset}/plans": DESK,
    "POST /assets/{asset}/readings": CREW,
    "GET /figures": OFFICE,
    "GET /learned": OFFICE,
    "POST /learned/train": WORKSHOP,
    "POST /learned/rollback": WORKSHOP,
    "POST /learned/{learned}/promote": WORKSHOP,
    "GET /commands": OFFICE,
    "POST /commands/{command}/{action}": WORKSHOP,
    "GET /people": ADMIN,
    "POST /people": ADMIN,
    "POST /people/{account}/link": ADMIN,
    "POST /people/{account}/close": ADMIN,
    "GET /demo": EVERYBODY,
    "GET /demo/next": EVERYBODY,
    "POST /demo/as/{role}": EVERYBODY,
    "POST /demo/clock": EVERYBODY,
    # JSON
    f"GET {_API}/me": EVERYBODY,
    f"GET {_API}/progress": OFFICE,
    f"POST {_API}/replays": ADMIN,
    f"POST {_API}/replays/end": ADMIN,
    f"POST {_API}/devices/{{tenant}}/{{device}}/history": WORKSHOP,
    f"GET {_API}/assets/{{asset}}/explanation": OFFICE,
    f"GET {_API}/assets/{{asset}}/quiet": OFFICE,
    f"GET {_API}/alarm-groups": OFFICE,
    f"GET {_API}/sensor-faults": OFFICE,
    f"POST {_API}/assets/{{asset}}/baseline/confirm": WORKSHOP,
    f"POST {_API}/assets/{{asset}}/sensors/{{signal}}/checked": FLOOR,
    f"GET {_API}/devices": OFFICE,
    f"POST {_API}/devices": WORKSHOP,
    f"POST {_API}/devices/{{tenant}}/{{device}}/revoke": ADMIN,
    f"POST {_API}/devices/{{tenant}}/{{device}}/suspend": ADMIN,
    f"POST {_API}/devices/{{tenant}}/{{device}}/resume": ADMIN,
    f"POST {_API}/devices/{{tenant}}/{{device}}/claim-code": WORKSHOP,
    f"GET {_API}/devices/{{tenant}}/{{device}}/readings": OFFICE,
    f"GET {_API}/devices/{{tenant}}/{{device}}/ledger": OFFICE,
    f"GET {_API}/assets": EVERYBODY,
    f"GET {_API}/predictions": OFFICE,
    f"GET {_API}/cases": OFFICE,
    f"POST {_API}/cases/{{case}}/{{action}}": DESK,
    f"GET {_API}/work-orders": CREW,
    f"POST {_API}/work-orders/{{order}}/finding": WORK,
    f"POST {_API}/work-orders/{{order}}/{{action}}": WORK,
    f"POST {_API}/work-orders/{{order}}/tasks/{{n}}/{{action}}": WORK,
    f"GET {_API}/requests": OFFICE,
    f"POST {_API}/requests": EVERYBODY,
    f"POST {_API}/requests/{{request_id}}/place": DESK,
    f"GET {_API}/autonomy": OFFICE,
    f"POST {_API}/autonomy": FLOOR,
    f"GET {_API}/decisions/replay": OFFICE,
    f"GET {_API}/incidents": OFFICE,
    f"GET {_API}/incidents/{{incident}}": OFFICE,
    f"POST {_API}/incidents/{{incident}}/{{action}}": DESK,
    f"POST {_API}/recalls": DESK,
    f"POST {_API}/work-orders/{{order}}/visit/{{action}}": WORK,
    f"GET {_API}/notices": PEOPLE,
    f"POST {_API}/notices/{{notice}}/{{reply}}": ANSWER,
    f"GET {_API}/findings": CREW,
    f"GET {_API}/labels": OFFICE,
    f"GET {_API}/learned": OFFICE,
    f"GET {_API}/learned/{{learned}}": OFFICE,
    f"GET {_API}/learned/{{learned}}/card": OFFICE,
    f"POST {_API}/learned/{{learned}}/promote": WORKSHOP,
    f"POST {_API}/learned/rollback": WORKSHOP,
    f"GET {_API}/trainings": OFFICE,
    f"GET {_API}/trainings/{{training}}": OFFICE,
    f"POST {_API}/trainings": WORKSHOP,
    f"GET {_API}/misses": OFFICE,
    f"GET {_API}/misses/{{finding}}": OFFICE,
    f"GET {_API}/quarantine": OFFICE,
    f"GET {_API}/quarantine/{{entry}}": OFFICE,
    f"POST {_API}/quarantine/replay": WORKSHOP,
    f"POST {_API}/quarantine/expire": WORKSHOP,
    f"GET {_API}/mappings": OFFICE,
    f"POST {_API}/mappings": WORKSHOP,
    f"POST {_API}/mappings/drop": WORKSHOP,
    f"GET {_API}/commands": CREW,
    f"GET {_API}/commands/{{command}}": CREW,
    f"POST {_API}/commands/{{command}}/{{action}}": WORKSHOP,
    f"GET {_API}/devices/{{tenant}}/{{device}}/commands": CREW,
    f"POST {_API}/devices/{{tenant}}/{{device}}/commands": CREW,
    f"POST {_API}/devices/{{tenant}}/{{device}}/guarded": WORKSHOP,
    f"POST {_API}/assets/{{asset}}/breakdown": EVERYBODY,
    f"POST {_API}/assets/{{asset}}/holds": CREW,
    f"POST {_API}/holds/{{hold}}/release": CREW,
    f"GET {_API}/diagnoses": OFFICE,
    f"GET {_API}/sla": OFFICE,
    f"GET {_API}/sla/policy": OFFICE,
    f"POST {_API}/sla/policy": ADMIN,
    f"POST {_API}/sla/preview": OFFICE,
    f"GET {_API}/calendars": OFFICE,
    f"POST {_API}/calendars/{{calendar}}": ADMIN,
    f"POST {_API}/sites/{{site}}/hours": ADMIN,
    f"POST {_API}/customers/{{customer}}/tier": ADMIN,
    f"POST {_API}/cases/{{case}}/clock/{{action}}": DESK,
    f"GET {_API}/plans": OFFICE,
    f"POST {_API}/plans/{{plan}}/{{action}}": DESK,
    f"POST {_API}/assets/{{asset}}/plans": DESK,
    f"POST {_API}/assets/{{asset}}/readings": CREW,
    f"GET {_API}/clock": EVERYBODY,
    f"POST {_API}/clock": EVERYBODY,
}


def allowed(method: str, path: str) -> Allowed:
    """Who may call a route (`path` as it is written in the table). An unlisted route is for nobody."""
    return TABLE.get(f"{'GET' if method == 'HEAD' else method} {path}", frozenset())


class RoutesDiffer(Exception):
    """The app's routes are not those of the table."""


def check(routes: Iterable[tuple[str, str]]) -> None:
    """Raises RoutesDiffer unless exactly the routes of the table are served. Called at the start."""
    served = {f"{method} {path}" for method, path in routes}
    if served != TABLE.keys():
        missing, unlisted = sorted(TABLE.keys() - served), sorted(served - TABLE.keys())
        raise RoutesDiffer(f"not served: {missing}; not in the table: {unlisted}")
