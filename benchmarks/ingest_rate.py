"""How fast ingest drains, what it costs, and whether bad messages hold up the good ones.

Usage: python -m benchmarks.ingest_rate [--servers embedded|real|both] [--seconds S] [--runs N] [--beside telegraf]
           [--bad N] [--json FILE]

`small` = 1 sample of 10 signals, `big` = 10 samples of 10 signals, 500 devices, QoS 1. On Mosquitto a backlog waits in
the broker and is drained into InfluxDB and PostgreSQL (SQLite where there is none), acknowledged after the commit. The
embedded broker keeps nothing for the absent: there the messages are published while ingest runs, and the broker's
CPU is part of the figure. With `--beside telegraf` a Telegraf (json_v2) drains the same messages from the same broker
into the same InfluxDB, in turn with ingest, and InfluxDB is timed alone: the ratios compare within one run, and even so
only on a machine that is else at rest. The closing check (real servers only) sends N bad messages among good ones.
"""

import argparse
import json
import multiprocessing
import platform
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.beside import Peer, TelegrafRun, influx_alone, ratio
from benchmarks.publishers import DEVICES, GOOD_RATE, SIGNALS, publish_all, publish_paced
from contracts import topics
from contracts.asset_model import AssetModel, Role, Signal
from contracts.points import Band, DeviceRows, Preparing, Readings, Refused, TelemetryStore
from deploy.servers.launch import InfluxDB, Mosquitto, PostgreSQL, available
from ingest.adapters.mosquitto_files import write_mosquitto_files
from ingest.domain.rights import INGEST, LOCAL
from ingest.service.access import Access
from ingest.service.book import bump
from ingest.service.registry import REGISTRY, set_service_account
from ingest.service.tables import devices
from ingest.settings import Settings
from ingest.wiring import IngestService, build
from plumbing.broker import EmbeddedBroker
from plumbing.migrate import upgrade
from plumbing.mqtt_reader import MqttReader
from plumbing.runtime import Shared
from plumbing.sql import Database
from plumbing.stores.duckdb import DuckStore
from plumbing.stores.influx import InfluxStore
from plumbing.system_clock import SystemClock
from plumbing.tenants import TenantClocks

MODEL = AssetModel(
    "bench", 1, "Bench", "EUR", {n: Signal(n, "1", -1e6, 1e6, Role.SYMPTOM, n) for n in SIGNALS}, None, (), {}
)  # fmt: skip
SHAPES = {"small": 1, "big": 10}
GUESS = {"real": {"small": 8_000, "big": 2_500}, "embedded": {"small": 700, "big": 350}}
"""Messages a second, to choose how many make a run of the wanted length."""
CHECK_S = 60.0
LOOK_S = 0.02


@dataclass(frozen=True)
class Rate:
    """One drained backlog."""

    servers: str
    shape: str
    messages: int
    seconds: float
    messages_per_second: float
    values_per_second: float
    cpu_us_per_message: float
    cpu_s_per_million_values: float
    peak_waiting_bytes: int
    stored: int


class Watched:
    """A store that notes how old each row of good data was when its write was done."""

    def __init__(self, inner: TelemetryStore) -> None:
        self._inner = inner
        self.ages: list[float] = []
        self.rows = 0

    def write(self, rows: list[DeviceRows]) -> list[Refused]:
        return self.prepared(rows)()

    def prepared(self, rows: list[DeviceRows]) -> Callable[[], list[Refused]]:
        inner = self._inner
        write = inner.prepared(rows) if isinstance(inner, Preparing) else partial(inner.write, rows)

        def watched() -> list[Refused]:
            out = write()
            now_us = time.time() * 1e6
            for d in rows:
                self.rows += len(d.t_us)
                self.ages += [(now_us - t) / 1e6 for t in d.t_us]
            return out

        return watched

    def read(self, tenant: str, device: str, **more: Any) -> Readings:
        return self._inner.read(tenant, device, **more)

    def band(self, tenant: str, device: str, signal: str, from_us: int, to_us: int, buckets: int) -> Band:
        return self._inner.band(tenant, device, signal, from_us, to_us, buckets)

    def ready(self) -> bool:
        return self._inner.ready()

    def close(self) -> None:
        self._inner.close()


@dataclass
class House:
    """Servers and a store, ready for an ingest."""

    kind: str
    url: Callable[[str, str], str]
    shared: Shared
    store: Watched
    secrets: dict[str, str]
    influx: InfluxDB | None = None
    boots: int = 0

    def fresh_boot(self) -> str:
        """A boot_id that was not used before."""
        self.boots += 1
        return f"{0xA0 + self.boots:08x}"

    def ingest(self) -> IngestService:
        return build(Settings.of({"FOREWARN_MQTT_URL": self.url(INGEST, self.secrets[INGEST])}), self.shared)


def seed_devices(database: Database) -> dict[str, str]:
    """500 devices, and the two services' secrets."""
    with database.write() as connection:
        connection.execute(devices.insert(), [
            {"tenant": "bench", "device": f"d{i}", "model": "bench", "username": f"bench/d{i}", "password": "-",
             "state": "created", "created_at": datetime(2026, 1, 1, tzinfo=UTC)} for i in range(DEVICES)
        ])  # fmt: skip
        bump(connection, REGISTRY)
    return {name: set_service_account(database, name) for name in (INGEST, LOCAL)}


@contextmanager
def house(kind: str, folder: Path) -> Iterator[House]:
    """Start what is needed."""
    with ExitStack() as stack:
        folder.mkdir(parents=True)
        clock = SystemClock()
        url = f"sqlite:///{folder}/forewarn.sqlite"
        if kind == "real" and available()["postgresql"].path is not None:
            url = stack.enter_context(PostgreSQL(folder / "postgresql")).create_database()
        database = Database(url)
        stack.callback(database.close)
        upgrade(database)
        secrets = seed_devices(database)
        if kind == "real":
            write_mosquitto_files(database, folder / "accounts")
            broker = stack.enter_context(
                Mosquitto(folder / "mosquitto", folder / "accounts" / "passwd", folder / "accounts" / "acl")
            )
            server = stack.enter_context(InfluxDB(folder / "influxdb"))
            influx = server.access
            where: Callable[[str, str], str] = broker.url
            inner: TelemetryStore = InfluxStore(influx.url, influx.token, influx.org, influx.bucket)
        else:
            access = Access(database, clock)
            embedded = EmbeddedBroker(
                "127.0.0.1", 0, authenticate=access.verify, may_publish=access.may_publish,
                may_receive=access.may_receive, on_refused=lambda user, topic: None,
            )  # fmt: skip
            embedded.start()
            stack.callback(embedded.stop)

            port = embedded.port
            where = partial("mqtt://{1}:{2}@127.0.0.1:{0}".format, port)
            inner = DuckStore(str(folder / "telemetry.duckdb"))
        store = Watched(inner)
        stack.callback(store.close)
        shared = Shared(folder, database, clock, TenantClocks(database, clock), store, {"bench": MODEL}.get)
        yield House(kind, where, shared, store, secrets, server if kind == "real" else None)


def wait_for(what: Callable[[], bool], seconds: float, every_s: float = 0.005) -> None:
    """Until it is true."""
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            raise SystemExit("ingest_rate: it did not come to an end in time")
        time.sleep(every_s)


def fill(at: House, samples: int, count: int) -> None:
    """Let a backlog wait in the broker, in a session that it keeps messages for."""
    link = MqttReader(
        at.url(INGEST, at.secrets[INGEST]), INGEST, subscribe=[topics.topic("+", "+", k) for k in topics.UP],
        on_messages=lambda m: None,
    )  # fmt: skip
    link.start()
    wait_for(lambda: link.connected, 20)
    time.sleep(0.3)
    link.stop()
    child = publisher(at, samples, count)
    child.start()
    child.join()
    if child.exitcode:
        raise SystemExit("ingest_rate: the backlog could not be published")


def publisher(at: House, samples: int, count: int) -> multiprocessing.process.BaseProcess:
    """A process that publishes."""
    return multiprocessing.get_context("spawn").Process(
        target=publish_all, args=(at.url(LOCAL, at.secrets[LOCAL]), samples, count, at.fresh_boot())
    )


def drain(at: House, shape: str, seconds: float) -> Rate:
    """Publish a backlog and time how long it takes until all of it is stored and accounted for."""
    samples, count = SHAPES[shape], int(GUESS[at.kind][shape] * seconds)
    expected = at.store.rows + samples * count
    service = at.ingest()
    child: multiprocessing.process.BaseProcess | None = None
    if at.kind == "real":
        fill(at, samples, count)
        began, cpu = time.monotonic(), time.process_time()
        service.start()
    else:
        child = publisher(at, samples, count)
        service.start()
        wait_for(lambda: service.healthy() == "", 20)
        began, cpu = time.monotonic(), time.process_time()
        child.start()
    peak = 0

    def done() -> bool:
        nonlocal peak
        peak = max(peak, service.figures()["waiting_bytes"])
        return at.store.rows >= expected and service.intake.taken_messages >= count

    wait_for(done, 60 + 20 * seconds, LOOK_S)
    took, cpu = time.monotonic() - began, time.process_time() - cpu
    service.stop()
    if child:
        child.join()
    return _rate(at.kind, shape, count, took, cpu, peak)


def _rate(who: str, shape: str, count: int, took: float, cpu: float, peak: int) -> Rate:
    samples = SHAPES[shape]
    values = samples * count * len(SIGNALS)
    return Rate(
        who, shape, count, round(took, 2), round(count / took), round(values / took), round(cpu / count * 1e6, 1),
        round(cpu / values * 1e6, 2), peak, samples * count,
    )  # fmt: skip


def middle(rates: list[Rate]) -> Rate:
    """The median of several runs, figure by figure."""
    names = ("seconds", "messages_per_second", "values_per_second", "cpu_us_per_message", "cpu_s_per_million_values")
    made = {name: median(getattr(rate, name) for rate in rates) for name in names}
    return replace(rates[0], **made, peak_waiting_bytes=max(rate.peak_waiting_bytes for rate in rates))


def beside(at: House, telegraf: TelegrafRun, shape: str, seconds: float, runs: int) -> dict[str, Any]:
    """Ingest and Telegraf in turn on backlogs of one shape."""
    samples, count = SHAPES[shape], int(GUESS[at.kind][shape] * seconds)
    ours, theirs = [], []
    for _ in range(runs):
        ours.append(drain(at, shape, seconds))
        fill(at, samples, count)
        peer: Peer = telegraf.drain(samples * count, 60 + 20 * seconds)
        theirs.append(_rate("telegraf", shape, count, peer.seconds, peer.cpu_s, int(peer.peak_rss_mb * 1e6)))
    own, other = middle(ours), middle(theirs)
    return {
        "ingest": asdict(own),
        "telegraf": asdict(other),
        "rate_ratio": ratio(own.messages_per_second, other.messages_per_second),
        "cpu_ratio": ratio(own.cpu_us_per_message, other.cpu_us_per_message),
    }


def lines(count: int) -> Iterator[bytes]:
    """What ingest writes of big messages."""
    dice = np.random.default_rng(2)
    fields = b",".join(name.encode() + b"=%.2f" for name in SIGNALS)
    start = int(time.time() - 3600) * 1_000_000
    for n in range(count):
        head = b"telemetry,device=d%d,tenant=bench " % (n // 10 % DEVICES)
        yield head + fields % tuple(dice.uniform(0, 100, 10)) + b" %d" % (start + n * 1000)


def paced(at: House, seconds: float, bad: int, boot: str) -> dict[str, float]:
    """Good messages at a fixed pace, bad ones among them: how fast the good were stored, and how late."""
    service = at.ingest()
    service.start()
    wait_for(lambda: service.healthy() == "", 20)
    at.store.ages.clear()
    stored_before, good = at.store.rows, int(GOOD_RATE * seconds)
    child = multiprocessing.get_context("spawn").Process(
        target=publish_paced, args=(at.url(LOCAL, at.secrets[LOCAL]), good, bad, boot)
    )
    child.start()
    wait_for(lambda: at.store.rows > stored_before, 60)
    began, first = time.monotonic(), at.store.rows
    wait_for(lambda: at.store.rows - stored_before >= good, 240)
    took = time.monotonic() - began
    ages = np.array(at.store.ages)
    wait_for(lambda: service.intake.taken_messages >= good + bad, 240)
    child.join()
    service.stop()
    return {
        "good": good, "bad": bad, "good_per_second": round((good - (first - stored_before)) / took, 1),
        "p50_s": round(float(np.quantile(ages, 0.5)), 3), "p99_s": round(float(np.quantile(ages, 0.99)), 3),
    }  # fmt: skip


def check_bad(at: House, bad: int, seconds: float) -> dict[str, Any]:
    """The same pace without and with bad messages."""
    alone = paced(at, seconds, 0, "00000001")
    among = paced(at, seconds, bad, "00000002")
    share = among["good_per_second"] / alone["good_per_second"]
    return {"alone": alone, "among": among, "share": round(share, 3), "ok": share >= 0.9 and among["p99_s"] < 1.0}


def show(rate: Rate) -> None:
    """One line."""
    print(
        f"{rate.servers:9} {rate.shape:6} {rate.messages_per_second:7.0f} messages/s {rate.values_per_second:8.0f}"
        f" values/s {rate.cpu_us_per_message:7.1f} CPU us a message"
        f" {rate.cpu_s_per_million_values:6.2f} CPU s a million values",
        flush=True,
    )


def compare(at: House, folder: Path, seconds: float, runs: int, out: dict[str, Any]) -> None:
    """Everything beside Telegraf and InfluxDB alone."""
    assert at.influx is not None
    alone = median(influx_alone(at.influx.fresh_bucket(), lines(50_000)) for _ in range(runs)) * len(SIGNALS)
    telegraf = TelegrafRun(folder, at.url(INGEST, at.secrets[INGEST]), at.influx.fresh_bucket())
    telegraf.measure_start()
    out["beside"] = {"influx_alone_values_per_second": round(alone)}
    print(f"InfluxDB alone, plain writes of 5,000 lines: {alone:.0f} values/s")
    for shape in SHAPES:
        found = out["beside"][shape] = beside(at, telegraf, shape, seconds, runs)
        found["of_influx_alone"] = ratio(found["ingest"]["values_per_second"], alone)
        out["rates"].append(found["ingest"])
        show(Rate(**found["ingest"]))
        show(Rate(**found["telegraf"]))
        print(
            f"          {shape:6} ingest has {found['rate_ratio']} x the rate of Telegraf at {found['cpu_ratio']} x its"
            f" CPU, and {found['of_influx_alone']:.0%} of the rate of InfluxDB alone",
            flush=True,
        )


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--servers", choices=("embedded", "real", "both"), default="both")
    parser.add_argument("--seconds", type=float, default=10.0, help="about how long one drain takes")
    parser.add_argument("--runs", type=int, default=1, help="how often; figures are medians")
    parser.add_argument("--beside", choices=("telegraf",), help="drain with Telegraf too (real servers)")
    parser.add_argument("--bad", type=int, default=0, help="bad messages in the closing check; 0 leaves it out")
    parser.add_argument("--check-seconds", type=float, default=CHECK_S, help="over how long the bad ones come")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    kinds = ["embedded", "real"] if given.servers == "both" else [given.servers]
    out: dict[str, Any] = {"machine": f"{platform.machine()}, Python {platform.python_version()}", "rates": []}
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        for kind in kinds:
            needed = ["mosquitto", "influxdb", *([given.beside] if given.beside else [])] if kind == "real" else []
            missing = [s for s in needed if available()[s].path is None]
            if missing:
                print(f"{kind}: left out, there is no {', '.join(missing)}")
                continue
            with house(kind, Path(folder) / kind) as at:
                for shape in SHAPES if not given.beside or kind == "embedded" else ():
                    rate = middle([drain(at, shape, given.seconds) for _ in range(given.runs)])
                    out["rates"].append(asdict(rate))
                    show(rate)
                if kind == "real" and given.beside:
                    compare(at, Path(folder), given.seconds, given.runs, out)
                if kind == "real" and given.bad:
                    out["bad"] = check_bad(at, given.bad, given.check_seconds)
                    failed = not out["bad"]["ok"]
                    print(f"bad among good: {out['bad']}", flush=True)
    if given.json:
        given.json.write_text(json.dumps(out, indent=1) + "\n")
    leftover = [t.name for t in threading.enumerate() if "ingest" in t.name]
    return 1 if failed or leftover else 0


if __name__ == "__main__":
    raise SystemExit(main())
