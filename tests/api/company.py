"""A small service company with pages: its records are filled through the owners' own commands."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from starlette.testclient import TestClient

from api import service as identity
from api.app import app
from api.guard import COOKIE
from api.live import Live
from api.owners import ServiceOwners
from api.settings import Settings
from api.views import Card, Chart, Money, Series
from api.web import Web
from contracts.points import DeviceRows
from ingest.service import commands
from ingest.service.registry import add_device
from plumbing import migrate
from plumbing.runtime import Shared
from plumbing.sql import Database, to_us
from tests.plumbing.memory_store import MemoryStore
from tests.work_orders.world import SUNDAY, World, open_world, settle
from work_orders import service as work
from work_orders.domain.machine import Actor, Role
from work_orders.service.holding import set_hold

TENANT = "acme"
ORIGIN = "http://testserver"
SUBJECTS = {"customer": "waterworks", "technician": "tom"}
ROLES = ("customer", "technician", "dispatcher", "engineer", "admin")


class Book:
    """Two stories."""

    def cards(self) -> list[Card]:
        t = [float(n) * 3600 for n in range(24)]
        plain = [2 + math.sin(n / 4) for n in range(24)]
        return [
            Card(
                "ignored_twin", "The ignored twin", "p1", "failed",
                ["Nobody was told.", "It failed </script><script>alert(1)</script>"], [("Case", "/cases")],
                [Money("Visit", 0, 1500, "EUR", "0 + 1,500"), Money("Failed", 6500, 2500, "EUR", "6,500 + 2,500")],
            ),
            Card(
                "hot_afternoon", "A hot afternoon", "p2", "no_order", ["It was hot."],
                chart=Chart("Bearing", [Series("Plain", "Cel", t, plain), Series("Compensated", "Cel", t, [0.0] * 24)]),
            ),
        ]  # fmt: skip


@dataclass
class Company:
    """The world of work_orders' tests with devices, readings and pages."""

    world: World
    web: Web
    make_client: Callable[[], TestClient]
    csrf: dict[str, str] = field(default_factory=dict)

    @property
    def shared(self) -> Shared:
        return self.world.shared

    def stranger(self) -> TestClient:
        """A browser without a session."""
        return self.make_client()

    def browser(self, role: str, subject: str | None = None, tenant: str | None = None) -> TestClient:
        """A browser that is signed in."""
        client = self.make_client()
        of = SUBJECTS.get(role, "") if subject is None else subject
        link = identity.make_link(self.shared.database, self.web.wall(), tenant or self.world.tenant, role, of)
        assert client.get(link, follow_redirects=False).status_code == 303
        cookie = client.cookies[COOKIE]
        who = identity.who_by_cookie(self.shared.database, self.web.wall(), cookie)
        assert who is not None
        assert who.csrf is not None
        client.headers["x-csrf-token"] = who.csrf
        return client

    def program(self, role: str, subject: str | None = None, tenant: str | None = None) -> TestClient:
        """A program with an API key."""
        client = self.make_client()
        of = SUBJECTS.get(role, "") if subject is None else subject
        key = identity.create_key(self.shared.database, self.web.wall(), tenant or self.world.tenant, role, of)
        client.headers["authorization"] = f"Bearer {key}"
        return client

    def readings(self, device: str = "p1", hours: int = 240) -> None:
        """Ten days of vibration that rises at the end."""
        now = self.world.clock.at
        t = [to_us(now - timedelta(minutes=10 * n)) for n in range(hours * 6, 0, -1)]
        rise = np.linspace(-6, 0.9, len(t))
        noise = np.random.default_rng(1).normal(0, 0.08, len(t))
        values: list[list[float | None]] = [[float(2.1 + math.exp(r) + n)] for r, n in zip(rise, noise, strict=True)]
        self.shared.store.write(
            [
                DeviceRows(
                    self.world.tenant, device, "pump", "aaaaaaaa", ["vibration"], list(range(1, len(t) + 1)), t, values,
                    t[-1],
                )
            ]
        )  # fmt: skip

    def full(self) -> dict[str, str]:
        """Devices, readings, a case, an order under way, a waiting notice; ids by what they are."""
        self.shared.clocks.refresh()
        for device in ("p1", "p2", "p3"):
            add_device(self.shared.database, self.world.tenant, device, "pump", now=self.world.clock.at)
        self.readings("p1")
        self.readings("p2")
        self.readings("p3")
        order = self.world.booked()
        self.world.take(3, device="p3")
        self.world.later(hours=1)
        found: dict[str, str] = {"order": order, "asset": "p1", "device": "p1"}
        with self.shared.database.read() as connection:
            from work_orders import queries

            notices = queries.notices(connection, self.world.tenant).items
            found["notice"] = next(n.id for n in notices if n.asset_id == "p1")
            found["open_notice"] = next(n.id for n in notices if n.asset_id == "p3")
            found["case"] = queries.cases(connection, self.world.tenant, asset_id="p1").items[0].id
            found["case3"] = queries.cases(connection, self.world.tenant, asset_id="p3").items[0].id
            orders = queries.orders(connection, self.world.tenant, asset_id="p3").items
            found["order3"] = orders[0].id
        now, wanted = self.world.clock.at, commands.Wanted(self.world.tenant, "p1", "look", {})
        eva = commands.Person("eva", "engineer")
        found["command"] = commands.issue(
            self.shared.database, wanted, eva, models=self.shared.models, now=now, wall=now
        )
        tom = Actor("Tom", Role.TECHNICIAN, "tom")
        found["hold"] = set_hold(self.shared, self.world.tenant, "p1", "permit", "hot work", tom)
        return found

    def pace(self, factor: float) -> None:
        """Let the simulated company's clock run faster from now on (the hand clock stands still)."""
        self.shared.clocks.change(self.world.tenant, factor, ahead=timedelta(0))

    def hostile(self, text: str) -> None:
        """Names that try to become script."""
        work.add_customer(self.shared, self.world.tenant, "evil", text)
        work.add_site(self.shared, self.world.tenant, "evil-site", "evil", text, address=text, access_notes=text)
        work.add_asset(self.shared, self.world.tenant, "p9", "pump", name=text, site_id="evil-site")


@cache
def _settled(tenant: str, simulated: bool) -> bytes:
    """The file of a company with its people, its machines and no history."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "forewarn.db"
        made = Database(f"sqlite:///{path}")
        migrate.upgrade(made)
        made.close()
        world = open_world(f"sqlite:///{path}", Path(folder), migrated=True)
        world.tenant = tenant
        if simulated:
            world.shared.clocks.add_scaled(tenant, SUNDAY, 1.0)
        settle(world)
        world.database.close()
        return path.read_bytes()


def found_company(home: Path, tenant: str = TENANT, *, simulated: bool = False, **settings: Any) -> Company:
    """A company in a database of its own: a copy of one that was made once."""
    (home / "forewarn.db").write_bytes(_settled(tenant, simulated))
    world = open_world(f"sqlite:///{home}/forewarn.db", home, migrated=True)
    world.tenant = tenant
    owners = ServiceOwners(world.shared, model_names=lambda: ("pump",))
    web = Web(
        Settings(default_tenant=tenant, **settings), world.shared, owners, Live(world.database, owners.tick), Book()
    )
    served = app(web)
    return Company(world, web, lambda: TestClient(served, base_url=ORIGIN, raise_server_exceptions=True))


__all__ = ["ORIGIN", "ROLES", "TENANT", "Company", "MemoryStore", "found_company"]
