"""Kills agent, broker, ingest and stores with -9 while agents read files with known rows; then compares row by row.

`python benchmarks/faults.py [--seconds S] [--seed N] [--json FILE] [--servers real|embedded]`: each is killed ten times
at random moments, or with --seconds as many as fit, in turn; the command then ends within 3 S. The closing line is
`sent=N stored=N missing=0 double=0`: points that the files give, those that the store holds, those that it lacks or
holds with other values, and what is there twice (points that no file holds, besides samples counted more than once:
stored + quarantined as counted, less the numbers in the settled ranges). Exit code 1 when anything is amiss.
"""

import argparse
import json
import math
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

import msgspec
import sqlalchemy as sa

from benchmarks.fault_files import Points, points, write
from benchmarks.fault_platforms import FOREWARN, PLATFORMS, Platform, Process
from contracts.points import TelemetryStore
from plumbing.sql import Database

DEVICES = ("acme/pump-1", "acme/pump-2", "other/pump-1")
KILLS = 10
ROWS_A_SECOND = 30
UP_S, DOWN_S = (0.3, 2.5), (0.1, 1.5)
"""How long a victim lives before the next kill, and how long it stays dead."""
EXPECTED_KILL_S = 3.0
"""About the time that a kill takes with all around it; says how many rows are needed."""
DRAIN_S = 240.0
SPARE_S = 8.0
"""Kept for the comparison and the end, within 3 S."""


@dataclass
class Report:
    """What was found."""

    servers: str
    seed: int
    rows: int
    kills: dict[str, int]
    sent: int = 0
    stored: int = 0
    missing: int = 0
    double: int = 0
    wrong: int = 0
    """Points with other values than the file's; counted in `missing` too."""
    quarantined: int = 0
    repeats: int = 0
    waiting: int = 0
    """Numbers that are neither settled nor given up, or lost."""
    seconds_with_faults: float = 0.0
    seconds_to_drain: float = 0.0
    problems: list[str] = field(default_factory=list)

    @property
    def well(self) -> bool:
        """Whether every promise holds."""
        return not (self.missing or self.double or self.waiting or self.problems)

    def line(self) -> str:
        """The closing line."""
        return f"sent={self.sent} stored={self.stored} missing={self.missing} double={self.double}"


def run(servers: str, seconds: float | None, seed: int, folder: Path, devices: tuple[str, ...] = DEVICES) -> Report:
    """Do it all in a folder."""
    began = time.monotonic()
    dice = random.Random(seed)
    platform = PLATFORMS[servers](folder)
    agents: list[Process] = []
    try:
        secrets = platform.start(list(devices))
        names = ["agent", *sorted(platform.victims)]
        span = EXPECTED_KILL_S * KILLS * len(names) if seconds is None else seconds
        files = [write(folder / f"{i}.csv", seed * 100 + i, int(ROWS_A_SECOND * span)) for i in range(len(devices))]
        agents += [_agent(platform, folder, i, name, secrets[name]) for i, name in enumerate(devices)]
        for agent in agents:
            agent.start()
        report = Report(servers, seed, sum(map(len, files)), {})
        since = time.monotonic()
        end = math.inf if seconds is None else min(since + seconds, began + 3 * seconds - 2 * SPARE_S)
        report.kills = _kill(platform, agents, names, dice, end)
        report.seconds_with_faults = round(time.monotonic() - since, 1)
        over = time.monotonic()
        until = over + DRAIN_S if seconds is None else began + 3 * seconds - SPARE_S
        _drain(platform, devices, files, until)
        report.seconds_to_drain = round(time.monotonic() - over, 1)
        report.problems += [f"{p.name} ended by itself; see its log" for p in agents if not p.alive]
        for agent in agents:
            agent.close()
        platform.settle()
        compare(report, platform, devices, [points(rows) for rows in files])
        return report
    finally:
        for agent in agents:
            agent.close()
        platform.close()


def _agent(platform: Platform, folder: Path, i: int, name: str, secret: str) -> Process:
    home = folder / f"agent-{i}"
    home.mkdir()
    config = home / "agent.toml"
    config.write_text(f'[drivers.csv]\npath = "../{i}.csv"\ntime = "time"\nrate = {ROWS_A_SECOND}\n')
    environ = {"FOREWARN_MQTT_URL": platform.mqtt_url(name, secret), "FOREWARN_HOME": str(home)}
    return Process(f"agent-{i}", (*FOREWARN, "run", "agent", "--config", str(config)), environ, home)


def _kill(
    platform: Platform, agents: list[Process], names: list[str], dice: random.Random, until: float
) -> dict[str, int]:
    """Kill in turn until each had its ten, or time is over."""
    kills: Counter[str] = Counter(dict.fromkeys(names, 0))
    for turn in range(KILLS * len(names)):
        time.sleep(dice.uniform(*UP_S))
        if time.monotonic() >= until:
            break
        name = names[turn % len(names)]
        victim = dice.choice(agents) if name == "agent" else platform.victims[name]
        victim.kill()
        time.sleep(dice.uniform(*DOWN_S))
        victim.start()
        kills[name] += 1
        print(f"killed {victim.name}, {sum(kills.values())} in all", file=sys.stderr, flush=True)
    return dict(kills)


def _drain(platform: Platform, devices: tuple[str, ...], files: list[list[dict[str, str]]], until: float) -> None:
    """Wait until every row of every file is settled."""
    while time.monotonic() < until:
        time.sleep(0.5)
        database = platform.database()
        try:
            settled = [sum(a["settled"] for a in accounts(database, name)) for name in devices]
        except sa.exc.DBAPIError:
            continue  # it is not up again yet
        finally:
            database.close()
        if settled == [len(rows) for rows in files]:
            return


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


def compare(report: Report, platform: Platform, devices: tuple[str, ...], wanted: list[Points]) -> None:
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


def main() -> int:
    """Run as a command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--seconds", type=float, metavar="S", help="length of the time with faults (default: 10 kills each)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was found")
    parser.add_argument("--servers", choices=sorted(PLATFORMS), default="real")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep files and logs in this folder")
    given = parser.parse_args()
    if given.keep:
        given.keep.mkdir(parents=True)
        report = run(given.servers, given.seconds, given.seed, given.keep.resolve())
    else:
        with tempfile.TemporaryDirectory(prefix="forewarn-faults-") as folder:
            report = run(given.servers, given.seconds, given.seed, Path(folder))
    if given.json:
        given.json.write_text(json.dumps(asdict(report), indent=1) + "\n")
    print(
        f"{report.rows} rows, kills {report.kills}, {report.seconds_with_faults} s with faults, drained after"
        f" {report.seconds_to_drain} s, {report.quarantined} quarantined, {report.repeats} repeats,"
        f" {report.waiting} waiting {' '.join(report.problems)}".rstrip()
    )
    print(report.line())
    return 0 if report.well else 1


if __name__ == "__main__":
    sys.exit(main())
