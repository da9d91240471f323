"""Running hours counted from stored telemetry, day by day, where nobody reads a meter: an honest stand-in for one."""

from datetime import timedelta

from plumbing.runtime import Shared
from plumbing.sql import from_us, to_us
from work_orders.domain.machine import SYSTEM
from work_orders.domain.plans import COUNTED_HOURS, ran
from work_orders.service import plan_tables as p
from work_orders.service import tables as t
from work_orders.service.installed_base import devices_of
from work_orders.service.plan_jobs import COUNT_EVERY, counted_until, counts, keep_reading, newest_reading, spec_of
from work_orders.service.unit import unit

STEP = timedelta(minutes=10)
MOST_AT_ONCE = timedelta(days=31)


def count_hours(shared: Shared, tenant: str, plan_id: str) -> float | None:
    """Count the running hours of a plan's asset since they were counted last; how many there were, None = none are due.

    The store is asked outside of any transaction. Raises StoreUnreachable.
    """
    with unit(shared, tenant, SYSTEM) as work:
        plan = work.one(p.plans, plan_id, "plan")
        if plan.state != "active" or not spec_of(plan).every_hours or not counts(work, plan.asset_id):
            return None
        begin = counted_until(work, plan)
        span = min(work.now - begin, MOST_AT_ONCE) // STEP * STEP
        if span < COUNT_EVERY:
            return None
        devices = devices_of(work, plan.asset_id)
        running = work.model(work.one(t.assets, plan.asset_id, "asset").model).running_when
        kept = newest_reading(work, plan.asset_id, COUNTED_HOURS)
    if running is None:
        return None
    end, hours = begin + span, 0.0
    for device in devices:
        band = shared.store.band(tenant, device, running.signal, to_us(begin), to_us(end), span // STEP)
        starts = [from_us(us) for us in band.t_us.tolist()]
        hours = max(hours, ran(starts, [running.holds(x) for x in band.mean.tolist()], end) / timedelta(hours=1))
    with unit(shared, tenant, SYSTEM) as work:
        keep_reading(work, plan.asset_id, COUNTED_HOURS, (kept.value if kept is not None else 0.0) + hours, end)
    return hours
