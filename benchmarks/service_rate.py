"""From a forecast in the log to its decision and its notice, on PostgreSQL; then a storm that meets the brake.

    python -m benchmarks.service_rate [--per-minute 1200] [--seconds 60] [--storm 5000] [--json FILE]

A steady stream of forecasts, each for a machine of its own, every one of which leads to a case, an order and a notice:
`decision_p99_s` = forecast in the log to decision committed, `notice_p99_s` = that decision to the notice queued, both
as another process sees them (it looks every 10 ms). Then `storm` forecasts at once, of as many other machines:
`forecasts_per_minute` is the rate at which they are taken; the brake lets so many orders through and the others wait
for a person; `lost` are forecasts of which nothing is on record.
"""

import argparse
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from contracts.asset_model_text import parse
from contracts.records import PREDICTIONS, Carrier, Prediction, Remaining, encode
from deploy.servers.launch import PostgreSQL
from plumbing import audit, log, migrate
from plumbing.runtime import Shared
from plumbing.sql import Database
from plumbing.system_clock import SystemClock
from plumbing.tenants import TenantClocks
from work_orders import service
from work_orders.service import tables as t
from work_orders.settings import Settings
from work_orders.wiring import build

TENANT = "bench"
LOOK_S, PATIENCE_S = 0.01, 60.0
OVERLAP = timedelta(seconds=5)
"""How far back is looked: what was decided before is committed by then."""
TECHNICIANS, AT_ONCE = 60, 200
MODEL = parse(
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
decision: {horizon_hours: 120, consecutive: 1, lead_hours: 24, act_latest: 0.1}
""",
    "pump.yaml",
)


class NoStore:
    """Telemetry is not asked for here."""


def settle(shared: Shared, machines: int) -> None:
    """A company with so many machines, one customer a hundred of them."""
    shared.clocks.add_wall(TENANT)
    for n in range(TECHNICIANS):
        service.add_technician(shared, TENANT, f"t{n}", f"Technician {n}", ["mechanical"])
    for n in range(machines // 100 + 1):
        service.add_customer(shared, TENANT, f"k{n}", f"Customer {n}", contact=f"k{n}@example.org")
        service.add_site(shared, TENANT, f"s{n}", f"k{n}", f"Site {n}")
    service.set_autonomy(shared, TENANT, "automatic", model="pump")
    service.add_asset(shared, TENANT, "like", "pump", name="Pump", site_id="s0")
    with shared.database.write() as connection:
        like = connection.execute(sa.select(t.assets).where(t.assets.c.id == "like")).one()._mapping
        rows: list[dict[str, Any]] = [
            {**like, "id": f"p{n}", "name": f"Pump {n}", "site_id": f"s{n // 100}", "customer_id": f"k{n // 100}"}
            for n in range(machines)
        ]
        connection.execute(t.assets.insert(), rows)
        devices = [{"tenant": TENANT, "device": f"p{n}", "asset_id": f"p{n}"} for n in range(machines)]
        connection.execute(t.asset_devices.insert(), devices)


def forecast(n: int, shared: Shared) -> Prediction:
    """A bad forecast for machine `n`."""
    at = shared.system.now()
    return Prediction(
        v=1, id=f"f{n}", tenant=TENANT, device=f"p{n}", model="mset", model_version="1", component="bearing",
        failure_mode="bearing_wear", mode_probability=0.9, issued_at=at, measured_at=at, alarm_id=f"a{n}",
        alarm_since=at - timedelta(hours=3), score=5.0, threshold=2.0, health=60.0,
        p_fail={"24h": 0.04, "7d": 0.4, "30d": 1.0}, risk_hours=[24, 72, 120, 240], risk=[0.04, 0.1, 0.35, 1.0],
        remaining=Remaining(100, 160, 260), evidence_from=at - timedelta(hours=48),
        carriers=[Carrier("vibration", 0.8, "up", 4.2, 2.1)], quality="good", pageable=True,
    )  # fmt: skip


class Looker:
    """Notes when decisions and notices are first seen, in a process of its own, so that looking holds nobody up."""

    def __init__(self, url: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._here, there = context.Pipe()
        self._process = context.Process(target=_look, args=(url, there), daemon=True)
        self._process.start()
        self._here.recv()

    def close(self) -> tuple[dict[str, float], dict[str, str], dict[str, float]]:
        """End it: when each forecast's decision was seen, its case, when each case's notice was seen."""
        self._here.send("end")
        seen: tuple[dict[str, float], dict[str, str], dict[str, float]] = self._here.recv()
        self._process.join()
        return seen


def _look(url: str, there: Connection) -> None:
    database = Database(url)
    decided: dict[str, float] = {}
    case_of: dict[str, str] = {}
    noticed: dict[str, float] = {}
    d, n = t.decisions.c, t.notices.c
    newest = [datetime(2000, 1, 1, tzinfo=UTC)] * 2
    there.send("ready")
    while not there.poll(LOOK_S):
        with database.read() as connection:
            since = [at - OVERLAP for at in newest]
            decisions = connection.execute(
                sa.select(d.prediction_id, d.case_id, d.at).where(d.tenant == TENANT, d.at >= since[0])
            ).all()
            notices = connection.execute(
                sa.select(n.case_id, n.queued_at).where(n.tenant == TENANT, n.queued_at >= since[1])
            ).all()
        at = time.monotonic()
        for prediction, case, when in decisions:
            if prediction not in decided:
                decided[prediction], case_of[prediction] = at, case
                newest[0] = max(newest[0], when)
        for case, when in notices:
            if case not in noticed:
                noticed[case] = at
                newest[1] = max(newest[1], when)
    there.send((decided, case_of, noticed))
    database.close()


def p99(values: Sequence[float]) -> float | None:
    """Of at least two values."""
    return round(statistics.quantiles(values, n=100)[98], 4) if len(values) > 1 else None


def append(shared: Shared, numbers: Sequence[int]) -> None:
    """Forecasts into the log, one transaction."""
    with shared.database.write() as connection:
        for n in numbers:
            made = forecast(n, shared)
            log.append(connection, TENANT, PREDICTIONS, made.device, encode(made), shared.system.now())


def count(shared: Shared, table: sa.Table, *where: sa.ColumnElement[bool]) -> int:
    """Rows of the company."""
    with shared.database.read() as connection:
        query = sa.select(sa.func.count()).select_from(table).where(table.c.tenant == TENANT, *where)
        return int(connection.execute(query).scalar_one())


def until(shared: Shared, taken: int) -> float:
    """Wait until so many forecasts are on record, or none came for a minute; the time of the newest."""
    seen, at = 0, time.monotonic()
    while seen < taken and time.monotonic() < at + PATIENCE_S:
        time.sleep(0.05)
        if (now := count(shared, t.intake)) > seen:
            seen, at = now, time.monotonic()
    return at


def steady(shared: Shared, forecasts: int, per_minute: float) -> dict[str, Any]:
    """A steady stream; how long decisions and notices took."""
    looker, sent = Looker(str(shared.database.url)), {}
    begun = time.monotonic()
    for n in range(forecasts):
        time.sleep(max(0.0, begun + n * 60 / per_minute - time.monotonic()))
        append(shared, [n])
        sent[f"f{n}"] = time.monotonic()
    until(shared, forecasts)
    time.sleep(1)
    decided, case_of, noticed = looker.close()
    waits = [decided[id] - at for id, at in sent.items() if id in decided]
    notices = [noticed[case] - decided[id] for id, case in case_of.items() if case in noticed]
    return {
        "sent": forecasts, "decided": len(waits), "noticed": len(notices),
        "sent_per_minute": round(forecasts / (max(sent.values()) - begun) * 60),
        "decision_median_s": round(statistics.median(waits), 4) if waits else None,
        "decision_p99_s": p99(waits), "notice_p99_s": p99(notices),
    }  # fmt: skip


def storm(shared: Shared, first: int, forecasts: int) -> dict[str, Any]:
    """All at once, with the usual brake."""
    orders, before = count(shared, t.orders), count(shared, t.intake)
    begun = time.monotonic()
    for n in range(first, first + forecasts, AT_ONCE):
        append(shared, range(n, min(n + AT_ONCE, first + forecasts)))
    taken = until(shared, before + forecasts) - begun
    on_record = count(shared, t.intake) - before
    return {
        "sent": forecasts, "seconds": round(taken, 1), "forecasts_per_minute": round(on_record / taken * 60),
        "lost": forecasts - on_record, "orders": count(shared, t.orders) - orders,
        "brake_pulled": count(shared, audit.entries, audit.entries.c.action == "brake_pulled"),
        "cases": count(shared, t.cases, t.cases.c.asset_id.in_([f"p{n}" for n in range(first, first + forecasts)])),
    }  # fmt: skip


def run(url: str, home: Path, per_minute: float, seconds: float, stormy: int) -> dict[str, Any]:
    """Both parts on an empty database."""
    from dataclasses import replace

    from work_orders.domain.policy import Policy

    database, system = Database(url), SystemClock()
    migrate.upgrade(database)
    store: Any = NoStore()
    shared = Shared(home, database, system, TenantClocks(database, system), store, lambda name: MODEL)
    forecasts = int(per_minute * seconds / 60)
    settle(shared, forecasts + stormy)
    service.set_policy(shared, TENANT, replace(Policy(), brake_per_100=100.0, phone="+49 30 123"))
    running = build(Settings(), shared)
    running.start()
    try:
        told = steady(shared, forecasts, per_minute)
        service.set_policy(shared, TENANT, replace(Policy(), phone="+49 30 123"))
        met = storm(shared, forecasts, stormy)
    finally:
        running.stop()
        database.close()
    return {
        "forecasts_per_minute": met["forecasts_per_minute"], "decision_p99_s": told["decision_p99_s"],
        "notice_p99_s": told["notice_p99_s"], "steady": told, "storm": met,
        "at": system.now().astimezone(UTC).isoformat(timespec="seconds"),
    }  # fmt: skip


def main() -> None:
    """Measure and tell."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--per-minute", type=float, default=1200)
    asked.add_argument("--seconds", type=float, default=60)
    asked.add_argument("--storm", type=int, default=5000)
    asked.add_argument("--json", type=Path)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder, PostgreSQL(Path(folder) / "postgresql") as server:
        told = run(server.create_database(), Path(folder), given.per_minute, given.seconds, given.storm)
    text = json.dumps(told, indent=1)
    print(text)
    if given.json:
        given.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
