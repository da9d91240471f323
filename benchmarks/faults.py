"""Harms agents, broker, ingest, stores, links, disks and clocks at random; then compares point by point.

`python benchmarks/faults.py [--seconds S] [--seed N] [--json FILE] [--servers real|embedded] [--devices N]`

A logger on each of 20 machines writes 5 rows a second into a file, an agent each reads it. For S seconds (300) one
thing after the other goes wrong: kill -9, pause (SIGSTOP) and restart of an agent, the broker, ingest, InfluxDB and
PostgreSQL; links that are cut, fall silent, become slow, or change bytes (the devices' alone, which have TLS: see
fault_links.py); full disks of the agents, of ingest and of PostgreSQL (tmpfs, where this process may mount one);
agents' clocks that jump by an hour, a day, and to 1970 (faketime). Each is drawn once before any comes again. With
--seconds the command ends within 3 S.

The closing line is `sent=N stored=N missing=0 double=0`: points that the files give, those that the store holds, those
that it lacks or holds with other values, and what is there twice (points that no file holds, besides samples counted
more than once: stored + quarantined as counted, less the numbers in the settled ranges). After about half of the
faults, and after the last, nothing else goes wrong until all that had been written by its end is settled:
`longest_recovery_s` is the longest of these times, from the end of the last fault. Exit code 1 when anything is amiss,
or a recovery took 30 s.
"""

import argparse
import json
import math
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import msgspec
import sqlalchemy as sa

from benchmarks.fault_clocks import FalseClock
from benchmarks.fault_deck import draw, families
from benchmarks.fault_files import Loggers, Points, points, rows
from benchmarks.fault_platforms import AGENTS_MB, FOREWARN, PLATFORMS, Platform, Process
from contracts.points import TelemetryStore
from plumbing.sql import Database

DEVICES = 20
RATE = 5
"""Rows a second and device."""
SECONDS = 300.0
BETWEEN_S = (0.3, 2.5)
"""Between a fault and the next where recovery is not awaited."""
AWAITED = 0.5
"""Share of the faults after which recovery is awaited."""
RECOVERED_WITHIN_S = 30.0
LOOK_S = 0.25
DRAIN_S = 240.0
SPARE_S = 8.0
"""Kept for the comparison and the end, within 3 S."""
FALSE_CLOCKS = 4
"""One agent in so many has a clock that can jump."""


@dataclass
class Report:
    """What was found."""

    servers: str
    seed: int
    rows: int
    sent: int = 0
    stored: int = 0
    missing: int = 0
    double: int = 0
    longest_recovery_s: float = 0.0
    faults: int = 0
    by_fault: dict[str, int] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    """Kinds of faults that this machine does not allow."""
    recoveries_s: list[float] = field(default_factory=list)
    slowest: str = ""
    """The fault before the longest recovery."""
    wrong: int = 0
    """Points with other values than the file's; counted in `missing` too."""
    quarantined: int = 0
    repeats: int = 0
    waiting: int = 0
    """Numbers that are neither settled nor given up, or lost."""
    seconds_with_faults: float = 0.0
    problems: list[str] = field(default_factory=list)

    @property
    def well(self) -> bool:
        """Whether every promise holds."""
        slow = self.longest_recovery_s >= RECOVERED_WITHIN_S
        return not (self.missing or self.double or self.waiting or self.problems or slow)

    def line(self) -> str:
        """The closing line."""
        return f"sent={self.sent} stored={self.stored} missing={self.missing} double={self.double}"


class Drill:
    """One run.

    Parameters
    ----------
    servers
        A key of PLATFORMS.
    seconds
        Length of the time with faults; None = 300, without an end for the whole.
    folder
        For everything.
    """

    def __init__(self, servers: str, seconds: float | None, seed: int, folder: Path, devices: int = DEVICES) -> None:
        self._began = time.monotonic()
        self._seconds, self._folder, self._dice = seconds, folder, random.Random(seed)
        self._names = [f"{'other' if i % 4 == 3 else 'acme'}/pump-{i}" for i in range(devices)]
        self._platform = PLATFORMS[servers](folder, self._dice)
        span = int(RATE * 3 * (seconds or SECONDS)) + 1
        files = [folder / f"{i}.csv" for i in range(devices)]
        self._loggers = Loggers(files, [rows(seed * 100 + i, span) for i in range(devices)], RATE)
        self._agents: list[Process] = []
        self._homes = folder
        self._clocks: list[FalseClock] = []
        self.report = Report(servers, seed, 0)

    def run(self) -> Report:
        """Do it all."""
        platform, report = self._platform, self.report
        try:
            self._homes = platform.disk("agents", self._folder / "agents", AGENTS_MB)
            secrets = platform.start(self._names)
            self._agents += [self._agent(i, secrets[name]) for i, name in enumerate(self._names)]
            for agent in self._agents:
                agent.start()
            self._loggers.start()
            if not self._recovers("the start"):
                report.problems.append("nothing arrives even before the first fault")
            report.recoveries_s.clear()
            since = time.monotonic()
            self._harm(self._end(since))
            report.seconds_with_faults = round(time.monotonic() - since, 1)
            self._loggers.stop()
            self._recovers("the last fault")
            report.longest_recovery_s = max(report.recoveries_s)
            report.problems += [f"{name} ended by itself; see its log" for name in self._failed()]
            for agent in self._agents:
                agent.close()
            platform.settle()
            content = self._loggers.content()
            report.rows = sum(map(len, content))
            compare(report, platform, self._names, [points(some) for some in content])
            report.problems += [f"{p.name} had to be killed" for p in self._agents if p.slow_to_stop]
            return report
        finally:
            for agent in self._agents:
                agent.close()
            platform.close()

    def _end(self, since: float) -> float:
        """When the last fault may begin."""
        if self._seconds is None:
            return since + SECONDS
        return min(since + self._seconds, self._began + 3 * self._seconds - 2 * SPARE_S)

    def _agent(self, i: int, secret: str) -> Process:
        home = self._homes / f"agent-{i}"
        home.mkdir()
        config = self._folder / f"agent-{i}.toml"
        config.write_text(f'ca = "{self._platform.ca}"\n[csv]\npath = "{i}.csv"\ntime = "time"\nrate = 0\n')
        environ = {
            "FOREWARN_MQTT_URL": self._platform.mqtt_url(self._names[i], secret),
            "FOREWARN_HOME": str(home),
        }
        if i % FALSE_CLOCKS == 0:
            clock = FalseClock(self._folder / f"clock-{i}")
            if clock.environ:
                environ |= clock.environ
                self._clocks.append(clock)
        command = (*FOREWARN, "run", "agent", "--config", str(config))
        return Process(f"agent-{i}", command, environ, self._folder)

    def _harm(self, until: float) -> None:
        """One fault after the other, until time is over."""
        dice, report = self._dice, self.report
        by_kind = families(self._platform, self._agents, self._clocks, dice)
        report.left_out = [kind for kind in ("disk", "clock") if kind not in by_kind]
        counts: Counter[str] = Counter()
        for fault in draw(by_kind, dice):
            if time.monotonic() >= until:
                break
            print(f"{time.monotonic() - self._began:6.1f} s: {fault.name}", file=sys.stderr, flush=True)
            make_right = fault.begin()
            time.sleep(dice.uniform(*fault.lasts))
            make_right()
            counts[fault.name] += 1
            if dice.random() < AWAITED:
                self._recovers(fault.name)
            else:
                time.sleep(dice.uniform(*BETWEEN_S))
        report.faults, report.by_fault = counts.total(), dict(sorted(counts.items()))

    def _recovers(self, what: str) -> bool:
        """Wait until all that stands in the files by now is settled."""
        over, written = time.monotonic(), list(self._loggers.written)
        left = DRAIN_S if self._seconds is None else self._began + 3 * self._seconds - SPARE_S - over
        while time.monotonic() - over < left and not self._failed():
            settled = self._settled()
            if settled is not None and all(have >= want for have, want in zip(settled, written, strict=True)):
                took = round(time.monotonic() - over, 2)
                if took >= max(self.report.recoveries_s, default=0.0):
                    self.report.slowest = what
                self.report.recoveries_s.append(took)
                print(f"       recovered after {took} s", file=sys.stderr, flush=True)
                return True
            time.sleep(LOOK_S)
        self.report.problems.append(f"no recovery from {what} within {left:.0f} s")
        self.report.recoveries_s.append(round(left, 2))
        return False

    def _failed(self) -> list[str]:
        """Which of our processes ended and will not come again."""
        return self._platform.watch_over(self._agents)

    def _settled(self) -> list[int] | None:
        """How many numbers of each device are settled; None while the database does not answer."""
        database = self._platform.database()
        try:
            return [sum(a["settled"] for a in accounts(database, name)) for name in self._names]
        except sa.exc.DBAPIError:
            return None
        finally:
            database.close()


def accounts(database: Database, name: str) -> list[dict[str, int]]:
    """What ingest has on record of each outbox of a device: its counters, and the numbers in its settled ranges."""
    from ingest.service.tables import outboxes

    tenant, _, device = name.partition("/")
    columns = [outboxes.c[c] for c in ("settled", "dropped", "last", "stored", "quarantined", "duplicate")]
    with database.read() as connection:
        rows = connection.execute(
            sa.select(*columns).where(outboxes.c.tenant == tenant, outboxes.c.device == device)
        ).all()
    out = []
    for row in rows:
        settled, dropped = _count(row.settled), _count(row.dropped)
        out.append(
            {
                "settled": settled,
                "open": row.last - settled - dropped,
                "stored": row.stored,
                "quarantined": row.quarantined,
                "duplicate": row.duplicate,
            }
        )
    return out


def _count(ranges: bytes) -> int:
    ends = msgspec.msgpack.decode(ranges, type=list[int])
    return sum(b - a + 1 for a, b in zip(ends[::2], ends[1::2], strict=True))


def held(store: TelemetryStore, name: str) -> Points:
    """What the store holds of a device."""
    tenant, _, device = name.partition("/")
    readings = store.read(tenant, device)
    return {
        int(us): {s: float(v) for s, v in zip(readings.signals, row, strict=True) if not math.isnan(v)}
        for us, row in zip(readings.t_us, readings.values, strict=True)
    }


def compare(report: Report, platform: Platform, devices: Sequence[str], wanted: Sequence[Points]) -> None:
    """Hold the store and the counters against what the files give."""
    store, database = platform.store(), platform.database()
    try:
        for name, want in zip(devices, wanted, strict=True):
            have = held(store, name)
            wrong = sum(have[t] != want[t] for t in want.keys() & have.keys())
            report.sent += len(want)
            report.stored += len(want.keys() & have.keys()) - wrong
            report.wrong += wrong
            report.missing += len(want.keys() - have.keys()) + wrong
            report.double += len(have.keys() - want.keys())
            for account in accounts(database, name):
                report.double += account["stored"] + account["quarantined"] - account["settled"]
                report.quarantined += account["quarantined"]
                report.repeats += account["duplicate"]
                report.waiting += account["open"]
    finally:
        store.close()
        database.close()


def run(servers: str, seconds: float | None, seed: int, folder: Path, devices: int = DEVICES) -> Report:
    """One drill in a folder."""
    return Drill(servers, seconds, seed, folder, devices).run()


def main() -> int:
    """Run as a command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, metavar="S", help=f"length of the time with faults ({SECONDS:.0f})")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was found")
    parser.add_argument("--servers", choices=sorted(PLATFORMS), default="real")
    parser.add_argument("--devices", type=int, default=DEVICES, metavar="N")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep files and logs in this folder")
    given = parser.parse_args()
    if given.keep:
        given.keep.mkdir(parents=True)
        report = run(given.servers, given.seconds, given.seed, given.keep.resolve(), given.devices)
    else:
        with tempfile.TemporaryDirectory(prefix="forewarn-faults-") as folder:
            report = run(given.servers, given.seconds, given.seed, Path(folder), given.devices)
    if given.json:
        given.json.write_text(json.dumps(asdict(report), indent=1) + "\n")
    print(
        f"{report.rows} rows, {report.faults} faults in {report.seconds_with_faults} s: {report.by_fault}"
        f" {'left out: ' + ', '.join(report.left_out) if report.left_out else ''}\n"
        f"longest of {len(report.recoveries_s)} recoveries {report.longest_recovery_s} s (after {report.slowest}),"
        f" {report.quarantined} quarantined, {report.repeats} repeats,"
        f" {report.waiting} waiting {' '.join(report.problems)}".rstrip()
    )
    print(report.line())
    return 0 if report.well else 1


if __name__ == "__main__":
    sys.exit(main())
