"""Ten times what the store takes, for ten minutes: memory, loss, and how late a reading of a quiet machine comes.

`python -m benchmarks.overload [--seconds 600] [--lines 100] [--json FILE]`

Two cores cannot offer ten times what InfluxDB takes, so a brake (an HTTP proxy) lets --lines lines a second through to
it. Ten agents read files at that rate each; they keep what is not settled, and each has at most its window of unsettled
samples in flight. Beside them one machine that floods nothing sends a reading a second. Its lateness is from before its
publish until its block is committed to the log, which is after the store's answer, and until the anomaly service has
taken that block (`scored_p99_s`); `alarm_p99_s` is the later of both, at the 99th percentile. Ingest and anomaly run as
they are, in processes of their own; `rss` is ingest's, from the first second of the flood on.

offered = what the agents numbered; stored = settled, held against the points in InfluxDB; lost = neither settled nor in
an agent's outbox. Exit code 1 when something is lost, the 99th percentile is 5 s or more, or memory grew by half and
20 MB.
"""

import argparse
import json
import math
import random
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec
import numpy as np
import psutil
import sqlalchemy as sa

from anomaly.adapters.sql import CONSUMER
from benchmarks.brake import Brake
from benchmarks.fault_files import START
from benchmarks.fault_links import Link, State
from benchmarks.fault_platforms import FOREWARN, Process, RealServers
from contracts import topics
from contracts.points import decode_block
from contracts.records import BLOCKS
from edge_agent.adapters.outbox_file import read_book
from ingest.service.tables import outboxes
from plumbing import log
from plumbing.mqtt import MqttLink
from plumbing.sql import Database

FLOODS = 10
LINES = 100.0
QUIET = "acme/quiet"
BOOT = "0a1a2a3a"
ALARM_EVERY_S = 1.0
ALARM_WITHIN_S = 5.0
LOOK_S = 0.05
GRACE_S = 10.0
READY_S = 60.0


@dataclass
class Report:
    """What was found."""

    seconds: float
    lines_a_second: float
    offered: int = 0
    stored: int = 0
    lost: int = 0
    waiting: int = 0
    """In the agents' outboxes."""
    rss_start_mb: float = 0.0
    rss_max_mb: float = 0.0
    rss_end_mb: float = 0.0
    alarm_p99_s: float = 0.0
    stored_p50_s: float = 0.0
    stored_p99_s: float = 0.0
    scored_p99_s: float = 0.0
    readings: int = 0
    """Of the quiet machine, each of which was stored and scored; else the percentiles are infinite."""
    let_through: int = 0
    """Lines that the brake let through."""
    offered_to_taken: float = 0.0
    not_in_store: int = 0
    """Points that count as stored and that InfluxDB does not hold."""

    @property
    def well(self) -> bool:
        """Whether it held."""
        flat = self.rss_max_mb <= 1.5 * self.rss_start_mb + 20
        return flat and not self.lost and not self.not_in_store and self.alarm_p99_s < ALARM_WITHIN_S


class Braked(RealServers):
    """Real servers whose store is slow."""

    lines_a_second = LINES
    brake: Brake

    def link(self, name: str, target: int, states: tuple[State, ...]) -> Link:
        """Put the brake before the store."""
        if name != "ingest to store":
            return super().link(name, target, states)
        self.brake = Brake(target, self.lines_a_second)
        return super().link(name, self.brake.port, states)


class Quiet(threading.Thread):
    """One reading a second, and when each was stored and scored."""

    def __init__(self, url: str, database: Database) -> None:
        super().__init__(name="quiet", daemon=True)
        self._link = MqttLink(url, QUIET, subscribe=[], on_connect=lambda: None, on_message=lambda _: None)
        self._database = database
        self._stopping = threading.Event()
        self._after = 0
        self._blocks: dict[int, list[int]] = {}
        """Position in the log -> numbers of the readings in it, until they are scored."""
        self.sent: dict[int, float] = {}
        self.stored: dict[int, float] = {}
        self.scored: dict[int, float] = {}

    def run(self) -> None:
        """Send and look."""
        self._link.start()
        tenant, _, device = QUIET.partition("/")
        due, seq = time.monotonic() + 1.0, 0
        over = math.inf
        while time.monotonic() < over:
            now = time.monotonic()
            if self._stopping.is_set():
                over = min(over, now + GRACE_S)
                if len(self.scored) == len(self.sent):
                    break
            elif now >= due and self._link.connected:
                seq, due = seq + 1, max(due + ALARM_EVERY_S, now)
                sample = {"t": time.time_ns() // 1_000_000, "values": {"vibration": 2.0 + seq % 7 / 10, "speed": 1450}}
                self.sent[seq] = now
                body = json.dumps({"v": 1, "boot_id": BOOT, "seq": seq, "samples": [sample]})
                self._link.publish(topics.topic(tenant, device, "telemetry"), body.encode())
            self._look(device)
            time.sleep(LOOK_S)
        self._link.stop()

    def stop(self) -> None:
        """Send no more, wait for what is on its way."""
        self._stopping.set()
        self.join()

    def _look(self, device: str) -> None:
        with self._database.read() as connection:
            entries = log.read(connection, BLOCKS, self._after, 1000)
            taken = log.position(connection, CONSUMER, BLOCKS)
        now = time.monotonic()
        for entry in entries:
            self._after = entry.position
            numbers = [n for d in decode_block(entry.payload).devices if d.device == device for n in d.seq]
            for number in numbers:
                self.stored.setdefault(number, now)
            if numbers:
                self._blocks[entry.position] = numbers
        for position in [p for p in self._blocks if p <= taken]:
            for number in self._blocks.pop(position):
                self.scored.setdefault(number, now)

    def lateness(self, reached: dict[int, float]) -> list[float]:
        """Seconds from the publish; infinite for what never came."""
        return [reached.get(number, math.inf) - sent for number, sent in self.sent.items()]


def run(seconds: float, lines: float, folder: Path, floods: int = FLOODS) -> Report:
    """Do it all in a folder."""
    report = Report(seconds, lines)
    names = [f"acme/flood-{i}" for i in range(floods)]
    platform = Braked(folder, random.Random(0))
    platform.lines_a_second = lines
    processes: list[Process] = []
    quiet: Quiet | None = None
    try:
        secrets = platform.start([*names, QUIET])
        database = platform.database()
        anomaly = Process("anomaly", (*FOREWARN, "run", "anomaly"), platform.environ, folder)
        anomaly.start()
        processes.append(anomaly)
        ingest = platform.victims["ingest"]
        assert isinstance(ingest, Process)
        _until(lambda: ingest.came_up and anomaly.came_up)
        agents = [_agent(platform, folder, i, name, secrets[name], lines, seconds) for i, name in enumerate(names)]
        processes += agents
        quiet = Quiet(platform.broker.url(QUIET, secrets[QUIET]), platform.database())
        for agent in agents:
            agent.start()
        _until(lambda: platform.brake.lines > 0)
        quiet.start()
        ours = psutil.Process(ingest.pid)
        report.rss_start_mb = report.rss_max_mb = _rss(ours)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(1.0)
            report.rss_max_mb = max(report.rss_max_mb, _rss(ours))
            if int(until - time.monotonic()) % 30 == 0:
                print(
                    f"{until - time.monotonic():5.0f} s left: {platform.brake.lines} lines, {_rss(ours)} MB,"
                    f" quiet {len(quiet.stored)} stored {len(quiet.scored)} scored of {len(quiet.sent)}",
                    file=sys.stderr, flush=True,
                )  # fmt: skip
        report.rss_end_mb = _rss(ours)
        report.let_through = platform.brake.lines
        quiet.stop()
        for agent in agents:
            agent.stop()
        _drain_flight(platform)
        _count(report, platform, database, folder, names)
        database.close()
    finally:
        for process in processes:
            process.close()
        platform.close()
        with suppress(AttributeError):
            platform.brake.close()
    stored, scored = quiet.lateness(quiet.stored), quiet.lateness(quiet.scored)
    report.readings = len(stored)
    report.stored_p50_s, report.stored_p99_s = (round(float(np.quantile(stored, q)), 2) for q in (0.5, 0.99))
    report.scored_p99_s = round(float(np.quantile(scored, 0.99)), 2)
    report.alarm_p99_s = max(report.stored_p99_s, report.scored_p99_s)
    return report


def _until(what: Callable[[], bool]) -> None:
    until = time.monotonic() + READY_S
    while not what():
        if time.monotonic() > until:
            raise SystemExit("overload: it does not come up")
        time.sleep(0.1)


def _rss(process: psutil.Process) -> float:
    return round(process.memory_info().rss / 1e6, 1)


def _agent(platform: RealServers, folder: Path, i: int, name: str, secret: str, rate: float, seconds: float) -> Process:
    with (folder / f"{i}.csv").open("w") as file:
        file.write("time,vibration,bearing_temperature,speed\n")
        start = int(START.timestamp() * 1000)
        for n in range(int(rate * (seconds + READY_S))):
            file.write(f"{start + n * 10},{2 + n % 100 / 100},{60 + n % 17},{1450 + n % 13}\n")
    config = folder / f"agent-{i}.toml"
    config.write_text(f'ca = "{platform.ca}"\n[csv]\npath = "{i}.csv"\ntime = "time"\nrate = {rate}\n')
    environ = {"FOREWARN_MQTT_URL": platform.mqtt_url(name, secret), "FOREWARN_HOME": str(folder / f"agent-{i}")}
    return Process(f"agent-{i}", (*FOREWARN, "run", "agent", "--config", str(config)), environ, folder)


def _drain_flight(platform: Braked) -> None:
    """Until what was in flight is stored: nothing more passes the brake."""
    until, before = time.monotonic() + 300, -1
    while time.monotonic() < until and platform.brake.lines != before:
        before = platform.brake.lines
        time.sleep(5.0)


def _count(report: Report, platform: RealServers, database: Database, folder: Path, names: list[str]) -> None:
    """Hold the outboxes, ingest's account and the store against each other."""
    store = platform.store()
    for i, name in enumerate(names):
        tenant, _, device = name.partition("/")
        (outbox,) = (folder / f"agent-{i}" / "agent").glob("*.sqlite")
        with closing(sqlite3.connect(outbox)) as held:
            waiting = {row[0] for row in held.execute("select seq from samples")}
            book = read_book(held.execute("select body from book").fetchone()[0])
        assert book is not None
        last = book.last
        with database.read() as connection:
            (row,) = connection.execute(
                sa.select(outboxes.c.settled, outboxes.c.quarantined).where(
                    outboxes.c.tenant == tenant, outboxes.c.device == device
                )
            ).all()
        ends = msgspec.msgpack.decode(row.settled, type=list[int])
        settled = {n for a, b in zip(ends[::2], ends[1::2], strict=True) for n in range(a, b + 1)}
        points = len(store.read(tenant, device, signals=["speed"]).t_us)
        report.offered += last
        report.stored += len(settled) - row.quarantined
        report.waiting += len(waiting - settled)
        report.lost += last - len(settled | waiting)
        report.not_in_store += len(settled) - row.quarantined - points
    store.close()
    report.offered_to_taken = round(report.offered / max(1, report.let_through), 1)


def main() -> int:
    """Run as a command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600.0, metavar="S")
    parser.add_argument("--lines", type=float, default=LINES, metavar="N", help="lines a second that the store takes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was found")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep files and logs in this folder")
    given = parser.parse_args()
    if given.keep:
        given.keep.mkdir(parents=True)
        report = run(given.seconds, given.lines, given.keep.resolve())
    else:
        with tempfile.TemporaryDirectory(prefix="forewarn-overload-") as folder:
            report = run(given.seconds, given.lines, Path(folder))
    said = json.dumps(asdict(report))
    if given.json:
        given.json.write_text(said + "\n")
    print(said)
    return 0 if report.well else 1


if __name__ == "__main__":
    sys.exit(main())
