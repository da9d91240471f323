"""Tenants and their clocks: one row a tenant, read by every process; one clock object a tenant and process.

A change is announced ahead of time (`AHEAD`), so that all processes change over at the same moment. While the product
is down a scaled clock stands still: whoever runs it calls `wake` at the start, `heartbeat` about once a second, and
`rest` at the end. After a kill it goes on where the last heartbeat said that it may have run to, at most `LEASE` ahead.
"""

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa

from contracts.clock import Anchor, Clock, read
from plumbing.sql import Database, UtcTime, lock
from plumbing.system_clock import SystemClock

AHEAD = timedelta(seconds=1)
POLL_S = 0.25
LEASE = timedelta(seconds=2)

metadata = sa.MetaData()
tenants = sa.Table(
    "plumbing_tenants",
    metadata,
    sa.Column("tenant", sa.String(64), primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),  # wall | scaled
    sa.Column("anchors", sa.Text, nullable=False),  # JSON of the newest anchors, oldest first
    sa.Column("seen_at", UtcTime, nullable=True),  # wall time until which a scaled clock may have run
    sa.Column("simulated", sa.Boolean, nullable=False),
)
_KEPT = 8
LOCK = "clocks"
_log = logging.getLogger(__name__)


class ScaledClock:
    """A tenant's clock as a line through its newest anchors. May be kept: it looks for new anchors itself."""

    def __init__(self, system: SystemClock, anchors: list[Anchor], look: Callable[[], None]) -> None:
        self._system, self._look = system, look
        self.anchors = anchors

    @property
    def factor(self) -> float:
        """Tenant seconds in a wall second now."""
        self._look()
        return read(self.anchors, self._system.now())[1]

    def now(self) -> datetime:
        """Aware UTC."""
        self._look()
        return read(self.anchors, self._system.now())[0]


class TenantClocks:
    """All tenants' clocks in this process. Thread-safe; looks for new anchors every quarter second when asked."""

    def __init__(self, database: Database, system: SystemClock) -> None:
        self._database, self._system = database, system
        self._clocks: dict[str, ScaledClock] = {}
        self._lock = threading.Lock()
        self._looked: float | None = None

    def of(self, tenant: str) -> Clock:
        """The tenant's clock; the machine's own where the tenant has no scaled one."""
        self._look()
        return self._clocks.get(tenant, self._system)

    def _look(self) -> None:
        """Refresh where it is time; while the database is away the clocks run on as they were."""
        looked = self._looked
        if looked is not None and self._system.monotonic() - looked < POLL_S:
            return
        try:
            self.refresh()
        except sa.exc.OperationalError as problem:
            if looked is None:
                self._looked = None
                raise
            _log.warning("the tenants' clocks could not be looked up, they run on: %s", problem.orig)

    def refresh(self) -> None:
        """Read the rows now."""
        with self._lock:
            self._looked = self._system.monotonic()
            with self._database.read() as connection:
                rows = connection.execute(sa.select(tenants).where(tenants.c.kind == "scaled")).all()
            for row in rows:
                anchors = msgspec.json.decode(row.anchors, type=list[Anchor])
                if row.tenant in self._clocks:
                    self._clocks[row.tenant].anchors = anchors
                else:
                    self._clocks[row.tenant] = ScaledClock(self._system, anchors, self._look)

    def add_wall(self, tenant: str, simulated: bool = False) -> None:
        """Put a tenant on record that lives on the wall clock; nothing happens if it is there."""
        self._insert(tenant, "wall", [], simulated)

    def add_scaled(self, tenant: str, at: datetime, factor: float, simulated: bool = True) -> None:
        """Put a tenant on record whose clock starts at `at` now; nothing happens if it is there."""
        self._insert(tenant, "scaled", [Anchor(self._system.now(), at, factor)], simulated)
        self.refresh()

    def _insert(self, tenant: str, kind: str, anchors: list[Anchor], simulated: bool) -> None:
        with self._database.write() as connection:
            lock(connection, LOCK)
            if connection.execute(sa.select(tenants.c.tenant).where(tenants.c.tenant == tenant)).first():
                return
            connection.execute(
                tenants.insert().values(
                    tenant=tenant, kind=kind, anchors=msgspec.json.encode(anchors).decode(), simulated=simulated,
                    seen_at=self._system.now() + LEASE,
                )
            )  # fmt: skip

    def simulated(self, tenant: str) -> bool:
        """Whether the tenant's machines and people are not real: no message of it may leave."""
        with self._database.read() as connection:
            found = connection.execute(sa.select(tenants.c.simulated).where(tenants.c.tenant == tenant)).scalar()
        return bool(found)

    def change(self, tenant: str, factor: float, *, ahead: timedelta = AHEAD) -> None:
        """Let the tenant's clock run at another factor (0 = stand still), `ahead` from now."""
        wall = self._system.now() + ahead
        with self._database.write() as connection:
            lock(connection, LOCK)
            row = connection.execute(sa.select(tenants).where(tenants.c.tenant == tenant)).one()
            anchors = msgspec.json.decode(row.anchors, type=list[Anchor])
            kept = [a for a in anchors if a.wall < wall]
            at, _ = read(kept or anchors, wall)
            new = [*kept, Anchor(wall, at, factor)][-_KEPT:]
            connection.execute(
                tenants.update().where(tenants.c.tenant == tenant).values(anchors=msgspec.json.encode(new).decode())
            )
        self.refresh()

    def heartbeat(self) -> None:
        """Note that the scaled clocks may run for another `LEASE`; called once a second by whoever runs them."""
        self._note(self._system.now() + LEASE)

    def rest(self) -> None:
        """At a clean end: the scaled clocks stop exactly here."""
        self._note(self._system.now())

    def _note(self, until: datetime) -> None:
        with self._database.write() as connection:
            connection.execute(tenants.update().where(tenants.c.kind == "scaled").values(seen_at=until))

    def wake(self) -> None:
        """After a start: scaled clocks go on from where they may have run to, at the factor last asked for."""
        wall = self._system.now()
        with self._database.write() as connection:
            lock(connection, LOCK)
            for row in connection.execute(sa.select(tenants).where(tenants.c.kind == "scaled")).all():
                anchors = msgspec.json.decode(row.anchors, type=list[Anchor])
                if row.seen_at >= wall:
                    continue  # somebody runs it, or it was stopped a moment ago
                at, _ = read(anchors, row.seen_at)
                new = [Anchor(wall, at, anchors[-1].factor)]
                connection.execute(
                    tenants.update()
                    .where(tenants.c.tenant == row.tenant)
                    .values(anchors=msgspec.json.encode(new).decode(), seen_at=wall + LEASE)
                )
        self.refresh()
