"""How long a reading takes: from the device to the store's commit, and on to the notice for the customer.

Usage: python -m benchmarks.end_to_end_latency [--servers embedded|real|both] [--seconds S] [--rate N] [--json FILE]

Stored: single samples of 10 signals from 500 devices that were heard before, at several rates (or only at --rate), sent
by a process of its own that stamps each with the moment at which it hands it to its MQTT client; the age of each when
the store has committed it, with ingest alone. The rate that was reached stands beside the one that was asked for; where
it is lower, the backlog grows and the ages with the length of the run. Notice: machines whose alarm holds already, each
one reading short of the forecast that decides; from that reading to the notice in its table, as another connection sees
it. Ingest, anomaly and work_orders run as threads of one process here and share one interpreter: in processes of their
own they have more.
"""

import argparse
import json
import multiprocessing
import os
import platform
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa

import work_orders.service.installed_base as base
from anomaly import wiring as anomaly
from anomaly.adapters.people import confirm_baseline
from anomaly.queries.condition import confirmed
from benchmarks.ingest_rate import MODEL, House, house, wait_for
from benchmarks.publishers import DEVICES, SIGNALS
from contracts import topics
from contracts.asset_model import AssetModel
from contracts.asset_model_text import parse
from deploy.servers.launch import available
from ingest.domain.rights import LOCAL
from ingest.service.history import import_rows
from ingest.service.registry import add_device
from plumbing.mqtt import MqttLink
from plumbing.runtime import Service
from work_orders import settings as work_settings
from work_orders import wiring as work_orders
from work_orders.domain.decision import Autonomy
from work_orders.domain.policy import Policy
from work_orders.service import tables

RATES = (100, 500, 1_000, 2_500, 5_000)
MACHINES = 24
TECHNICIANS = 30
TENANT = "company"
STEP_S, HISTORY_H, WEARS_H, SILENT_S = 600, 100, 30, 2_400
"""The machines' history: a row in ten minutes for so many hours, the last of them with wear, then 40 minutes of silence
(a forecast is due every half hour)."""
BETWEEN_S = 0.4
LOOK_S = 0.004
SETTLE_S = 1.0
"""Before a run counts, every device has been heard once and so much time has passed."""
MACHINE: AssetModel = parse(
    """
name: latency-machine
version: 1
title: Machine that wears
running_when: speed > 100
regimes: [speed]
signals:
  speed: {unit: /min, range: [0, 4000], role: condition, title: Speed}
  vibration: {unit: mm/s, range: [0, 100], role: symptom, title: Vibration}
  temperature: {unit: Cel, range: [-40, 200], role: symptom, title: Bearing temperature}
components:
  bearing:
    title: Bearing
    failure_modes:
      wear:
        title: Bearing wear
        symptoms: {vibration: up, temperature: up}
        limit: {signal: vibration, value: 9, spread: 0.3}
        remedy: Replace the bearing
        skill: mechanical
        minutes: 60
        consequence: It stops.
        costs:
          failure: {customer: 5000, provider: 4000}
          planned: {customer: 0, provider: 1000}
          false_visit: {customer: 0, provider: 50}
detection: {window_samples: 12, window_hours: 2, threshold: 1.8, hold_hours: 1, hold_samples: 4,
  refractory_hours: 2, learning_hours: 30, learning_samples: 60}
prognosis: {every_hours: 0.5, history_hours: 120, shortest_hours: 5, longest_hours: 200}
decision: {horizon_hours: 120, consecutive: 1, lead_hours: 24}
""",
    "latency-machine.yaml",
)


@dataclass(frozen=True)
class Stored:
    """One run at one rate."""

    servers: str
    asked_per_second: int
    sent_per_second: float
    stored_per_second: float
    """From the first sent to the last stored."""
    p50_ms: float
    p99_ms: float
    samples: int


@dataclass(frozen=True)
class Noticed:
    """From the deciding reading to the notice."""

    servers: str
    machines: int
    p50_ms: float
    p99_ms: float
    longest_ms: float


def publish_at(url: str, rate: int, count: int, boot: str, told: Connection) -> None:
    """Runs in a process of its own: `count` samples at that rate; tells when it began and how many a second it was."""
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion

    from plumbing.mqtt import BrokerAddress

    at = BrokerAddress.of(url)
    client = Client(CallbackAPIVersion.VERSION2, client_id=at.user)
    client.username_pw_set(at.user, at.secret)
    client.max_inflight_messages_set(0)
    client.connect(at.host, at.port)
    client.loop_start()
    values = ",".join(f'"{name}":1.5' for name in SIGNALS)
    names = [topics.topic("bench", f"d{n}", "telemetry") for n in range(DEVICES)]

    def send(n: int) -> Any:
        body = (
            f'{{"v":1,"boot_id":"{boot}","seq":{n // DEVICES + 1},'
            f'"samples":[{{"t":{time.time_ns() // 1_000_000},"values":{{{values}}}}}]}}'
        )
        return client.publish(names[n % DEVICES], body.encode(), qos=1)

    for n in range(DEVICES):
        last = send(n)
    last.wait_for_publish(120)
    told.recv()
    began, first = time.monotonic(), time.time()
    for n in range(count):
        wait = began + n / rate - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        last = send(DEVICES + n)
    sending = time.monotonic() - began
    last.wait_for_publish(120)
    client.disconnect()
    client.loop_stop()
    told.send((first, count / sending))


def stored(at: House, rate: int, seconds: float, boot: str) -> Stored:
    """Ages at the store's commit, at one rate."""
    count = max(DEVICES, int(rate * seconds))
    service = at.ingest()
    service.start()
    wait_for(lambda: service.healthy() == "", 20)
    before = at.store.rows
    hear, tell = multiprocessing.Pipe()
    child = multiprocessing.get_context("spawn").Process(
        target=publish_at, args=(at.url(LOCAL, at.secrets[LOCAL]), rate, count, boot, tell)
    )
    child.start()
    wait_for(lambda: at.store.rows - before >= DEVICES, 60)
    wait_for(lambda: service.intake.taken_messages >= DEVICES, 60)
    time.sleep(SETTLE_S)
    before = at.store.rows
    at.store.ages.clear()
    hear.send("go")
    wait_for(lambda: at.store.rows - before >= count, 90 + 10 * seconds)
    ended = time.time()
    began, sent = hear.recv()
    child.join()
    service.stop()
    ages = np.array(at.store.ages) * 1e3
    p50, p99 = (round(float(np.quantile(ages, q)), 1) for q in (0.5, 0.99))
    return Stored(at.kind, rate, round(sent), round(count / (ended - began)), p50, p99, len(ages))


def history(machine: int, until_us: int) -> tuple[np.ndarray[Any, np.dtype[np.int64]], np.ndarray[Any, Any]]:
    """Rows of a machine that begins to wear: speed, vibration, temperature."""
    n = HISTORY_H * 3600 // STEP_S
    dice = np.random.default_rng(machine)
    hours = np.arange(n) * STEP_S / 3600
    wear = 2.5 * np.exp((hours - HISTORY_H) / (WEARS_H / 3))
    speed = 1500 + 100 * np.sin(hours / 3)
    rows = np.column_stack([
        speed, 2 + wear + dice.normal(0, 0.1, n), 40 + speed / 100 + 3 * wear + dice.normal(0, 0.4, n)
    ])  # fmt: skip
    return until_us - (np.arange(n)[::-1] * STEP_S * 1_000_000).astype(np.int64), rows


def people(at: House) -> list[str]:
    """A company that may act by itself, its customer, technicians and machines; the machines' names."""
    shared, now = at.shared, at.shared.system.now()
    shared.clocks.add_wall(TENANT)
    base.add_customer(shared, TENANT, "works", "The Works")
    base.add_site(shared, TENANT, "hall", "works", "Hall")
    for n in range(TECHNICIANS):
        base.add_technician(shared, TENANT, f"t{n}", f"Technician {n}", ("mechanical",))
    base.set_autonomy(shared, TENANT, Autonomy.AUTOMATIC)
    base.set_policy(shared, TENANT, Policy(company="Bench", brake_per_100=1000.0))
    names = [f"m{n}" for n in range(MACHINES)]
    for name in names:
        add_device(shared.database, TENANT, name, MACHINE.name, models=shared.models, now=now)
        base.add_asset(shared, TENANT, name, MACHINE.name, customer_id="works", site_id="hall")
    return names


def rows_of(at: House, table: sa.Table, column: str) -> set[str]:
    """Values of a column in the company's rows."""
    with at.shared.database.read() as connection:
        found = connection.execute(sa.select(table.c[column]).where(table.c.tenant == TENANT)).scalars()
        return {str(value) for value in found}


def noticed(at: House) -> Noticed:
    """One deciding reading for each machine, and how long its notice took."""
    models: Callable[[str], AssetModel | None] = {"bench": MODEL, MACHINE.name: MACHINE}.get
    at.shared = replace(at.shared, models=models)
    names = people(at)
    services: list[Service] = [
        at.ingest(), anomaly.build(at.shared), work_orders.build(work_settings.Settings(), at.shared)
    ]  # fmt: skip
    link = MqttLink(
        at.url(LOCAL, at.secrets[LOCAL]), LOCAL, subscribe=[], on_connect=lambda: None, on_message=lambda m: None
    )
    for service in services:
        service.start()
    link.start()
    try:
        until_us = time.time_ns() // 1000 - SILENT_S * 1_000_000
        last: dict[str, list[float]] = {}
        for n, name in enumerate(names):
            t_us, rows = history(n, until_us)
            import_rows(at.shared, TENANT, name, ["speed", "vibration", "temperature"], t_us, rows)
            last[name] = rows[-1].tolist()
        wait_for(lambda: link.connected and all(s.healthy() == "" for s in services), 60)
        wait_for(lambda: rows_of(at, tables.intake, "device") >= set(names), 120)
        wait_for(lambda: all(_confirmed(at, name) for name in names), 60)
        if early := rows_of(at, tables.notices, "id"):
            raise SystemExit(f"end_to_end_latency: {len(early)} notices came before their reading")
        took = [_one(at, link, name, last[name]) for name in names]
    finally:
        link.stop()
        for service in reversed(services):
            service.stop()
    p50, p99 = (round(float(np.quantile(took, q)) * 1e3, 1) for q in (0.5, 0.99))
    return Noticed(at.kind, len(took), p50, p99, round(max(took) * 1e3, 1))


def _confirmed(at: House, name: str) -> bool:
    """Whether what is usual for a machine counts as healthy; says so where it is learned."""
    return confirmed(at.shared.database, TENANT, name) or confirm_baseline(at.shared, TENANT, name, "bench")


def _one(at: House, link: MqttLink, name: str, values: list[float]) -> float:
    """Send the deciding reading of a machine; seconds until its notice stands in the table."""
    time.sleep(BETWEEN_S)
    before = len(rows_of(at, tables.notices, "id"))
    speed, vibration, temperature = values
    began = time.monotonic()
    sample = {
        "t": time.time_ns() // 1_000_000,
        "values": {"speed": speed, "vibration": vibration * 1.1, "temperature": temperature + 1},
    }
    body = {"v": 1, "boot_id": "0000beef", "seq": 1, "samples": [sample]}
    link.publish(topics.topic(TENANT, name, "telemetry"), json.dumps(body).encode())
    while len(rows_of(at, tables.notices, "id")) == before:
        if time.monotonic() - began > 30:
            raise SystemExit(f"end_to_end_latency: the reading of {name} led to no notice")
        time.sleep(LOOK_S)
    return time.monotonic() - began


def machine() -> str:
    """Where this ran."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}, load {load:.1f}"


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--servers", choices=("embedded", "real", "both"), default="both")
    parser.add_argument("--seconds", type=float, default=8.0, help="length of the run at each rate")
    parser.add_argument("--rate", type=int, help=f"messages a second (default: {RATES})")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    out: dict[str, Any] = {"machine": machine(), "stored": [], "noticed": []}
    print(out["machine"])
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("embedded", "real") if given.servers == "both" else (given.servers,):
            missing = [s for s in ("mosquitto", "influxdb") if kind == "real" and available()[s].path is None]
            if missing:
                print(f"{kind}: left out, there is no {', '.join(missing)}")
                continue
            with house(kind, Path(folder) / kind) as at:
                late = noticed(at)
                out["noticed"].append(asdict(late))
                print(
                    f"{kind:9} to notice, {late.machines} machines {'':35}"
                    f" p50 {late.p50_ms:7.1f} ms  p99 {late.p99_ms:7.1f} ms",
                    flush=True,
                )
                for n, rate in enumerate((given.rate,) if given.rate else RATES):
                    run = stored(at, rate, given.seconds, f"0000{n:04x}")
                    out["stored"].append(asdict(run))
                    print(
                        f"{kind:9} to stored, asked {rate:5}/s sent {run.sent_per_second:5}/s stored"
                        f" {run.stored_per_second:5}/s  p50 {run.p50_ms:7.1f} ms  p99 {run.p99_ms:7.1f} ms",
                        flush=True,
                    )
                    if run.stored_per_second < 0.7 * rate:
                        break  # it cannot do more than this
    if given.json:
        given.json.write_text(json.dumps(out, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
