"""The clock of the demo's tenant: pause, resume, another factor; audited."""

from api.problems import Problem, bad_field
from api.roles import Principal
from api.web import DEMO, Web
from plumbing import audit

FASTEST = 100_000.0
USUAL = 3600.0


def set_clock(web: Web, who: Principal, action: str, factor: float | None) -> None:
    """Change the clock. Raises Problem where the tenant is no demo, or the change makes no sense."""
    shared = web.shared
    if who.tenant != DEMO or not shared.clocks.simulated(who.tenant):
        raise Problem(403, "Only the clock of the demo can be changed.")
    match action:
        case "pause":
            wanted = 0.0
        case "resume":
            wanted = factor or USUAL
        case "factor":
            if factor is None or not 0 <= factor <= FASTEST:
                raise bad_field("factor", factor, f"a number from 0 to {FASTEST:g}")
            wanted = factor
        case _:
            raise bad_field("action", action, "pause, resume or factor")
    shared.clocks.change(who.tenant, wanted)
    said = "was paused" if wanted == 0 else f"runs at x{wanted:g}"
    with shared.database.write() as connection:
        audit.append(
            connection, who.tenant, web.now(who), who.actor, "clock_changed",
            {"id": who.tenant, "text": f"The clock {said}", "factor": wanted},
        )  # fmt: skip
