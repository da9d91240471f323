"""Sets the stage: the pump company's tenant, its customers, sites, machines, technicians, and 90 days of history."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta

from forewarn.demo.facts import Facts, World
from ingest.service.history import import_rows
from ingest.service.registry import DuplicateDevice, add_device, new_secret
from plumbing.runtime import Shared
from simulators.pumps import MODEL, SIGNALS, Fleet
from work_orders.domain.decision import Autonomy
from work_orders.domain.policy import Policy
from work_orders.domain.slots import AM, PM, HalfDay
from work_orders.service import installed_base as base

TENANT = "demo"
PACE = 3600.0
WATCHED = "watched-works"
"""The customer whose machine is only watched: the ignored twin's."""
FREE_SHARE = 0.85
"""Share of half days on which a technician is free."""
CALENDAR_DAYS = 90
PHONE = "+49 30 5550100"
CUSTOMERS = (
    ("north-dairy", "North Dairy", "Hall 2, cold water"),
    (WATCHED, "Hillside Laundry", "Boiler house"),
    ("river-brewery", "River Brewery", "Fermentation cellar"),
    ("city-baths", "City Baths", "Filter room"),
)
PUMPS = {
    "pump-01": "north-dairy", "pump-02": WATCHED, "pump-03": "river-brewery", "pump-04": "river-brewery",
    "pump-05": "city-baths", "pump-06": "city-baths", "pump-07": "north-dairy", "pump-08": "river-brewery",
}  # fmt: skip
TECHNICIANS = (("ada", "Ada Berg", ("mechanical", "electrical")), ("jonas", "Jonas Ruiz", ("mechanical",)))


def sunday_before(wall: datetime) -> datetime:
    """The Sunday 00:00 UTC on which the demo's clock begins."""
    day = wall.replace(hour=0, minute=0, second=0, microsecond=0)
    return day - timedelta(days=(day.weekday() + 1) % 7)


def begin(shared: Shared, facts: Facts, seed: int) -> None:
    """Make or find the demo's world; one whose making was cut short is made ready."""
    if facts.world is None:
        live_from = sunday_before(shared.system.now())
        dice = random.Random(seed)
        boots = {name: f"{dice.getrandbits(64):016x}" for name in PUMPS}
        facts.begin(World(seed=seed, live_from=live_from, boot_ids=boots))
    shared.clocks.add_scaled(TENANT, facts.there.live_from, 0.0)
    if not facts.there.loaded:
        people(shared, facts.there.live_from, facts.there.seed)


def people(shared: Shared, live_from: datetime, seed: int) -> None:
    """Customers, sites, pumps, technicians with their calendars, and how the company serves."""
    for id, name, place in CUSTOMERS:
        base.add_customer(shared, TENANT, id, name, phone=PHONE)
        base.add_site(shared, TENANT, f"{id}-site", id, f"{name}, {place}")
    for pump, customer in PUMPS.items():
        base.add_asset(
            shared, TENANT, pump, MODEL, name=f"Pump {pump[-2:]}", customer_id=customer, site_id=f"{customer}-site"
        )
    dice = random.Random(f"calendar {seed}")
    for id, name, skills in TECHNICIANS:
        base.add_technician(shared, TENANT, id, name, skills)
        days = [live_from.date() + timedelta(days=n) for n in range(CALENDAR_DAYS)]
        busy = [HalfDay(day, half) for day in days for half in (AM, PM) if dice.random() > FREE_SHARE]
        base.block_half_days(shared, TENANT, id, busy, reason="booked elsewhere")
    base.set_autonomy(shared, TENANT, Autonomy.AUTOMATIC)
    base.set_autonomy(shared, TENANT, Autonomy.WATCH, customer_id=WATCHED)
    base.set_policy(
        shared, TENANT,
        Policy(company="Clearwater Pump Service", phone=PHONE, cooling_off_minutes=30, brake_per_100=100),
    )  # fmt: skip


def secrets(shared: Shared, fleet: Fleet) -> dict[str, str]:
    """Register the pumps; the broker's user name and secret of each. A secret lives for one run."""
    out = {}
    for pump in fleet.pumps:
        now = shared.clocks.of(TENANT).now()
        try:
            made = add_device(shared.database, TENANT, pump.name, MODEL, models=shared.models, now=now, actor="demo")
        except DuplicateDevice:
            made = new_secret(shared.database, TENANT, pump.name, now=now, actor="demo")
        out[pump.name] = made.password
    return out


def history(shared: Shared, fleet: Fleet, progress: Callable[[int, int], None]) -> int:
    """Load the pumps' past through the import path; returns the number of samples."""
    done = 0
    for n, pump in enumerate(fleet.pumps):
        rows = pump.rows(0, fleet.history_end)
        done += import_rows(shared, TENANT, pump.name, list(SIGNALS), rows.t_us, rows.values)
        progress(n + 1, len(fleet.pumps))
    return done
