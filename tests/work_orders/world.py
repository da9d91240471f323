"""A small service company in a database of its own, with a clock that stands until it is moved."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from contracts.asset_model import AssetModel
from contracts.asset_model_text import parse
from contracts.records import FINDINGS, Alarm, Carrier, Prediction, Remaining
from plumbing import audit, log, migrate
from plumbing.runtime import Shared
from plumbing.sql import Database
from plumbing.system_clock import SystemClock
from plumbing.tenants import TenantClocks
from tests.plumbing.memory_store import MemoryStore
from work_orders import service
from work_orders.domain.machine import Actor, Role
from work_orders.domain.policy import Policy
from work_orders.service import tables as t

SUNDAY = datetime(2026, 11, 22, tzinfo=UTC)
TENANT = "acme"
CUSTOMER = Actor("Ida Kunde", Role.CUSTOMER, "waterworks")
STRANGER = Actor("Otto Fremd", Role.CUSTOMER, "brewery")
TECHNICIAN = Actor("Tom", Role.TECHNICIAN, "tom")
OTHER_TECHNICIAN = Actor("Uwe", Role.TECHNICIAN, "uwe")
DISPATCHER = Actor("Dora", Role.DISPATCHER)
ENGINEER = Actor("Eva", Role.ENGINEER)
ADMIN = Actor("Anna", Role.ADMIN)

PUMP = parse(
    """
name: pump
title: Pump
currency: EUR
signals:
  vibration: {unit: mm/s, range: [0, 100], role: symptom, title: Vibration}
components:
  bearing:
    title: Bearing
    failure_modes:
      bearing_wear:
        title: Bearing wear
        symptoms: {vibration: up}
        checks: [Listen, Measure]
        remedy: Replace both bearings
        skill: mechanical
        minutes: 90
        covered: true
        consequence: The pump stops.
        costs:
          failure: {customer: 6500, provider: 2500}
          planned: {customer: 0, provider: 1500}
          false_visit: {customer: 0, provider: 500}
  seal:
    title: Seal
    failure_modes:
      seal_leak:
        title: Seal leak
        symptoms: {vibration: up}
        checks: [Look]
        remedy: Replace the seal
        skill: mechanical
        minutes: 60
        consequence: It leaks.
        costs:
          failure: {customer: 900, provider: 100}
          planned: {customer: 300, provider: 0}
          false_visit: {customer: 0, provider: 200}
commands:
  look: {risk: read, title: Look, args: {seconds: {range: [1, 5], default: 2}}}
  move: {risk: guarded, title: Move, safety_function: false}
decision: {horizon_hours: 120, consecutive: 3, lead_hours: 24, act_latest: 0.1}
""",
    "pump.yaml",
)
"""A decision after three forecasts in a row."""


class HandClock(SystemClock):
    """Stands still until it is moved."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return (self.at - SUNDAY).total_seconds()


def models(name: str) -> AssetModel | None:
    """The only model there is."""
    return PUMP if name == "pump" else None


@dataclass
class World:
    """Shared things, a clock to move, and short ways to say what happens."""

    shared: Shared
    clock: HandClock
    database: Database
    tenant: str = TENANT
    said: int = field(default=0)
    settled_at: int = field(default=0)
    """Place in the log after the company was set up."""

    def forecast(self, n: int = 1, p: float = 0.3, device: str = "p1", **values: Any) -> Prediction:
        """The n-th hourly forecast of an alarm; `p` = P(failure) within the horizon."""
        at = self.clock.at
        made = Prediction(
            v=1, id=f"{device}-{values.get('component', 'bearing')}-{n}", tenant=self.tenant, device=device,
            model="mset", model_version="1", component="bearing", failure_mode="bearing_wear", mode_probability=0.9,
            issued_at=at, measured_at=at, alarm_id=f"{device}-alarm", alarm_since=at - timedelta(hours=n), score=5.0,
            threshold=2.0, health=60.0, p_fail={"24h": p / 9, "7d": p * 1.2, "30d": 1.0}, risk_hours=[24, 72, 120, 240],
            risk=[p / 9, p / 4, p, 1.0], remaining=Remaining(100, 160, 260), evidence_from=at - timedelta(hours=48),
            carriers=[Carrier("vibration", 0.8, "up", 4.2, 2.1)], quality="good", pageable=True,
        )  # fmt: skip
        return msgspec.structs.replace(made, **values)

    def take(self, count: int = 3, p: float = 0.3, device: str = "p1", first: int = 1, **values: Any) -> list[str]:
        """`count` forecasts come in, an hour apart."""
        states = []
        for n in range(first, first + count):
            states.append(service.take_prediction(self.shared, self.forecast(n, p, device, **values)))
            self.clock.at += timedelta(hours=1)
        return states

    def clear(self, device: str = "p1", alarm: str = "") -> None:
        """The alarm clears."""
        at = self.clock.at
        service.take_alarm(self.shared, Alarm(1, alarm or f"{device}-alarm", self.tenant, device, "cleared", at, at))

    def later(self, **delta: float) -> int:
        """Time passes; what is due is done."""
        self.clock.at += timedelta(**delta)
        return service.tick(self.shared, self.tenant)

    def rows(self, table: sa.Table) -> list[sa.Row[Any]]:
        """All rows of the tenant."""
        with self.database.read() as connection:
            return list(connection.execute(sa.select(table).where(table.c.tenant == self.tenant)))

    def only(self, table: sa.Table) -> sa.Row[Any]:
        """The only row."""
        (row,) = self.rows(table)
        return row

    def actions(self) -> list[str]:
        """What the audit chain tells, in order."""
        with self.database.read() as connection:
            return [e.action for e in audit.read(connection, self.tenant, limit=10_000)]

    def heard(self, topic: str) -> list[log.Entry]:
        """What other services hear, once the company is set up."""
        with self.database.read() as connection:
            return list(log.read(connection, topic, self.settled_at, 10_000))

    def offered(self, count: int = 3) -> str:
        """A notice that stands with the customer; its id."""
        self.take(count)
        self.later(hours=1)
        return str(self.only(t.notices).id)

    def booked(self) -> str:
        """An order whose visit the customer accepted; its id."""
        service.accept_notice(self.shared, self.tenant, self.offered(), 1, CUSTOMER)
        return str(self.only(t.orders).id)


def open_world(url: str, home: Path, at: datetime = SUNDAY, *, migrated: bool = False) -> World:
    """The company's database, without its people."""
    clock = HandClock(at)
    database = Database(url)
    if not migrated:
        migrate.upgrade(database, ("plumbing", "work_orders"))
    clocks = TenantClocks(database, clock)
    shared = Shared(home, database, clock, clocks, MemoryStore(), models)
    world = World(shared, clock, database)
    world.settled_at = max((entry.position for entry in world.heard(FINDINGS)), default=0)
    return world


def settle(world: World, autonomy: str = "automatic") -> World:
    """Customers, a site, three pumps, two technicians."""
    shared, tenant = world.shared, world.tenant
    shared.clocks.add_wall(tenant)
    for id, name in (("waterworks", "City waterworks"), ("brewery", "Brewery")):
        service.add_customer(shared, tenant, id, name, contact=f"{id}@example.org")
        service.add_site(shared, tenant, f"{id}-site", id, f"{name}, hall", time_zone="UTC")
    service.add_asset(shared, tenant, "p1", "pump", name="Pump 1", site_id="waterworks-site")
    service.add_asset(shared, tenant, "p2", "pump", name="Pump 2", site_id="waterworks-site")
    service.add_asset(shared, tenant, "p3", "pump", name="Pump 3", site_id="brewery-site")
    for id in ("tom", "uwe"):
        service.add_technician(shared, tenant, id, id.title(), ["mechanical"])
    service.set_autonomy(shared, tenant, autonomy, model="pump")
    service.set_policy(shared, tenant, replace(Policy(), brake_per_100=100.0, phone="+49 30 123"))
    world.settled_at = world.heard(FINDINGS)[-1].position
    return world
