"""A fleet whose failures are announced by errors, as the product holds it: telemetry in a store, findings as labels."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

import numpy as np

from anomaly.domain.history import HOUR_US, History
from anomaly.service import tables as t
from contracts.asset_model import AssetModel
from contracts.asset_model_text import parse
from contracts.points import Readings
from plumbing.runtime import Shared
from plumbing.sql import from_us
from plumbing.system_clock import SystemClock
from plumbing.tenants import TenantClocks
from tests.anomaly.bench import Bench, MemoryStore
from tests.evaluation.fleets import BEGIN_US, DAYS, FLEET, history

DAY_US = 24 * HOUR_US
MODE = """
        symptoms: {pressure: down}
        remedy: Replace it
        skill: mechanical
        minutes: 60
        consequence: It stops.
        costs:
          failure: {customer: 5000, provider: 5000}
          planned: {customer: 0, provider: 1000}
          false_visit: {customer: 0, provider: 3000}
"""
MODEL: AssetModel = parse(
    f"""
name: announced
title: Machine that announces its failures
signals:
  pressure: {{unit: bar, range: [0, 40], role: symptom, title: Pressure}}
  E1: {{unit: "1", range: [0, 1], role: event, title: Error 1}}
  E2: {{unit: "1", range: [0, 1], role: event, title: Error 2}}
  E3: {{unit: "1", range: [0, 100000], role: event, title: Error 3}}
components:
  pump:
    title: Pump
    failure_modes:
      worn:
        title: Worn pump{MODE}
  seal:
    title: Seal
    failure_modes:
      cracked:
        title: Cracked seal{MODE}
      leaking:
        title: Leaking seal{MODE}
decision: {{horizon_hours: 120, consecutive: 3}}
""",
    "announced.yaml",
)
SIGNALS = ("E1", "E2", "E3", "pressure")


class Store(MemoryStore):
    """Holds rows with the signals of this fleet."""

    def read(
        self, tenant: str, device: str, *, signals: list[str] | None = None, from_us: int | None = None,
        to_us: int | None = None, limit: int | None = None, newest_first: bool = False,
    ) -> Readings:  # fmt: skip
        t_us, values = self.rows.get(device, (np.zeros(0, dtype=np.int64), np.zeros((0, len(SIGNALS)))))
        low, high = np.searchsorted(t_us, [from_us or 0, 2**62 if to_us is None else to_us])
        names = SIGNALS if signals is None else tuple(signals)
        columns = [SIGNALS.index(name) for name in names]
        return Readings(names, t_us[low:high][:limit], values[low:high][:limit][:, columns])


def rows_of(h: History) -> tuple[np.ndarray, np.ndarray]:
    """Hourly rows: errors 1 and 2 are up for an hour, error 3 is counted."""
    at = BEGIN_US + np.arange(DAYS * 24 + 1, dtype=np.int64) * HOUR_US
    values = np.zeros((len(at), len(SIGNALS)))
    for code in range(len(FLEET.codes)):
        hour = (h.errors.of(code) - BEGIN_US) // HOUR_US
        if FLEET.codes[code] == "E3":
            values[:, code] = 7 + np.cumsum(np.bincount(hour, minlength=len(at)))
        else:
            values[hour, code] = 1.0
    values[:, 3] = 5.0 + np.random.default_rng(int(h.asset)).normal(0, 0.1, len(at))
    return at, values


class Fleet:
    """Machines whose record is told day by day."""

    def __init__(self, folder: Path, count: int, *, failing: bool = True) -> None:
        self.bench = Bench(folder)
        self.store = Store()
        self.histories = [history(i) for i in range(count)]
        for h in self.histories:
            self.store.rows[self.device(h)] = rows_of(h)
        self._told_us, self._failing = -1, failing
        clocks = cast("TenantClocks", self.bench.clocks)
        self.shared = Shared(
            folder, self.bench.database, SystemClock(), clocks, self.store, {MODEL.name: MODEL}.get
        )  # fmt: skip

    def device(self, h: History) -> str:
        """Its name."""
        return f"m{h.asset}"

    def go_to(self, at_us: int) -> None:
        """All that is known at a time: newest readings, findings, the clock."""
        self.bench.clocks.clock.at = from_us(at_us)
        with self.bench.database.write() as connection:
            connection.execute(t.states.delete())
            for h in self.histories:
                picture = json.dumps({"newest_us": at_us // HOUR_US * HOUR_US})
                connection.execute(t.states.insert().values(
                    tenant="acme", device=self.device(h), model=MODEL.name, memory=b"", picture=picture
                ))  # fmt: skip
                failed = set(zip(h.failed.at_us.tolist(), h.failed.which.tolist(), strict=True))
                for when, c in zip(h.replaced.at_us.tolist(), h.replaced.which.tolist(), strict=True):
                    if self._told_us < when <= at_us and (self._failing or (when, c) not in failed):
                        connection.execute(t.labels.insert().values(**self._label(h, when, c, (when, c) in failed)))
        self._told_us = at_us

    def _label(self, h: History, when: int, c: int, failed: bool) -> dict[str, object]:
        at: datetime = from_us(when)
        return {
            "tenant": "acme", "device": self.device(h), "finding_id": f"F-{h.asset}-{c}-{when}",
            "case_id": f"C-{h.asset}-{c}-{when}", "asset": self.device(h), "component": FLEET.components[c],
            "mode": ("worn", "leaking")[c], "verdict": "true" if failed else "unknown", "from_at": at - timedelta(1),
            "to_at": at, "as_found": "", "replaced": True, "serial": "",
        }  # fmt: skip
