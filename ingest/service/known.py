"""The registry as the hot path sees it: in memory, looked at anew when it has changed."""

from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from contracts.asset_model import AssetModel
from contracts.units import Units
from ingest.domain.mapping import NONE, Mapping
from ingest.domain.signals import Signals
from ingest.service.book import mark
from ingest.service.mappings import DEVICE, MODEL, live_mappings
from ingest.service.registry import REGISTRY, REVOKED
from ingest.service.tables import devices
from plumbing.sql import Database
from plumbing.system_clock import SystemClock

LOOK_EVERY_S = 1.0
LOOK_UNKNOWN_S = 0.1


@dataclass(frozen=True, slots=True)
class KnownDevice:
    """A device that may send, with the signals of its model."""

    tenant: str
    name: str
    signals: Signals
    mapping: Mapping = NONE
    """Mends what comes."""


class Known:
    """Devices that are registered and not revoked."""

    def __init__(
        self, database: Database, system: SystemClock, models: Callable[[str], AssetModel | None], units: Units
    ) -> None:
        self._database, self._system, self._models, self._units = database, system, models, units
        self._devices: dict[tuple[str, str], KnownDevice] = {}
        self._signals: dict[str, Signals] = {}
        self._version, self._looked = -1, -LOOK_EVERY_S

    def device(self, tenant: str, name: str) -> KnownDevice | None:
        """The device; None when it is not registered, or revoked."""
        now = self._system.monotonic()
        if now - self._looked >= LOOK_EVERY_S:
            self._look(now)
        found = self._devices.get((tenant, name))
        if found is None and now - self._looked >= LOOK_UNKNOWN_S:
            self._look(now)
            found = self._devices.get((tenant, name))
        return found

    def _look(self, now: float) -> None:
        with self._database.read() as connection:
            version = mark(connection, REGISTRY)
            if version != self._version:
                rows = connection.execute(
                    sa.select(devices.c.tenant, devices.c.device, devices.c.model).where(devices.c.state != REVOKED)
                ).all()
                rules = live_mappings(connection)
                self._signals = {}
                self._devices = {}
                for t, d, model in rows:
                    mine = [*rules.get((t, MODEL, model), []), *rules.get((t, DEVICE, d), [])] if rules else []
                    self._devices[t, d] = KnownDevice(t, d, self._of(model), Mapping.of(mine) if mine else NONE)
        self._version, self._looked = version, now

    def _of(self, model: str) -> Signals:
        if model not in self._signals:
            self._signals[model] = Signals(self._models(model), self._units)
        return self._signals[model]
