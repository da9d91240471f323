"""An outside witness: Telegraf writes the same topics into a bucket of its own; compared point by point.

`python -m benchmarks.witness [--seconds S] [--seed N] [--json FILE]`

Agents read files with good and bad rows (the drills' own) and publish to one Mosquitto. Telegraf, which shares not a
line with us, and ingest both write what comes into InfluxDB, each into its own bucket. Ingest is killed twice on the
way; Telegraf is left alone. Whatever it has and we lack is our bug, unless we had to refuse it: a value outside of the
asset model's range. Exit code 1 when there is such a point, or one with another value.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.fault_files import SIGNALS, Loggers, Points, rows
from benchmarks.fault_platforms import FOREWARN, Process, RealServers
from benchmarks.faults import accounts, held
from contracts import topics
from deploy.servers.launch import Telegraf, telegraf_config
from plumbing.stores.influx import InfluxStore

DEVICES = ("acme/pump-1", "acme/pump-2", "other/pump-1")
RATE = 20
KILLS = 2
WAIT_S = 90.0
LOOK_S = 0.5
WITNESS = "local"
"""The account that Telegraf reads with: one that may read every device's topics."""


@dataclass
class Report:
    """What was found; values, not rows."""

    theirs: int = 0
    ours: int = 0
    lacking: int = 0
    """Good values that the witness has and we have not."""
    different: int = 0
    refused: int = 0
    """Values that the witness has and the asset model does not allow."""
    let_in: int = 0
    """Those of them that we have all the same."""
    examples: list[str] = field(default_factory=list)

    @property
    def well(self) -> bool:
        """Whether we have all that the witness has, and the witness had much to say."""
        return self.theirs > 0 and not (self.lacking or self.different or self.let_in)


def compare(report: Report, device: str, theirs: Points, ours: Points) -> None:
    """Hold what we have of a device against what the witness has."""
    report.ours += sum(map(len, ours.values()))
    for us, values in theirs.items():
        have = ours.get(us, {})
        for signal, value in values.items():
            report.theirs += 1
            low, high = SIGNALS[signal]
            wrong = ""
            if not low <= value <= high:
                report.refused += 1
                if signal in have:
                    report.let_in += 1
                    wrong = "is not allowed, and we have it"
            elif signal not in have:
                report.lacking += 1
                wrong = "is lacking"
            elif have[signal] != value:
                report.different += 1
                wrong = f"is {have[signal]} here"
            if wrong and len(report.examples) < 10:
                report.examples.append(f"{device} {us}: {signal} {value} {wrong}")


def run(seconds: float, seed: int, folder: Path) -> Report:
    """Do it all in a folder."""
    platform = RealServers(folder, random.Random(seed))
    files = [folder / f"{i}.csv" for i in range(len(DEVICES))]
    loggers = Loggers(files, [rows(seed * 100 + i, int(RATE * seconds) + 1) for i in range(len(DEVICES))], RATE)
    agents: list[Process] = []
    telegraf: Telegraf | None = None
    try:
        secrets = platform.start(list(DEVICES))
        bucket = platform.influx.fresh_bucket()
        broker = f"127.0.0.1:{platform.broker.port}"
        topic = topics.topic("+", "+", "telemetry")
        config = telegraf_config(broker, WITNESS, platform.local, topic, bucket)
        telegraf = Telegraf(folder / "telegraf", config).start()
        for i, name in enumerate(DEVICES):
            home = folder / f"agent-{i}"
            home.mkdir()
            config_file = home / "agent.toml"
            config_file.write_text(f'ca = "{platform.ca}"\n[csv]\npath = "../{i}.csv"\ntime = "time"\nrate = 0\n')
            environ = {"FOREWARN_MQTT_URL": platform.mqtt_url(name, secrets[name]), "FOREWARN_HOME": str(home)}
            command = (*FOREWARN, "run", "agent", "--config", str(config_file))
            agents.append(Process(f"agent-{i}", command, environ, home))
            agents[-1].start()
        loggers.start()
        for _ in range(KILLS):
            time.sleep(seconds / (KILLS + 1))
            platform.victims["ingest"].kill()
            time.sleep(1.0)
            platform.victims["ingest"].start()
        time.sleep(seconds / (KILLS + 1))
        loggers.stop()
        _drain(platform, loggers, agents)
        ours, theirs = platform.store(), InfluxStore(bucket.url, bucket.token, bucket.org, bucket.bucket)
        report = Report()
        _come_to_rest(theirs)
        for name in DEVICES:
            compare(report, name, held(theirs, name), held(ours, name))
        ours.close()
        theirs.close()
        return report
    finally:
        if telegraf is not None:
            telegraf.close()
        for agent in agents:
            agent.close()
        platform.close()


def _drain(platform: RealServers, loggers: Loggers, agents: list[Process]) -> None:
    """Until every row is settled."""
    until = time.monotonic() + WAIT_S
    database = platform.database()
    try:
        while time.monotonic() < until:
            platform.watch_over(agents)
            settled = [sum(a["settled"] for a in accounts(database, name)) for name in DEVICES]
            if settled == loggers.written:
                return
            time.sleep(LOOK_S)
    finally:
        database.close()
    raise SystemExit(f"witness: not all rows are settled: {settled} of {loggers.written}")


def _come_to_rest(store: InfluxStore) -> None:
    """Until the witness writes no more."""
    before = -1
    while (now := sum(len(held(store, name)) for name in DEVICES)) != before:
        before = now
        time.sleep(2.0)


def main() -> int:
    """Run as a command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, metavar="S")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was found")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="forewarn-witness-") as folder:
        report = run(given.seconds, given.seed, Path(folder))
    if given.json:
        given.json.write_text(json.dumps(asdict(report), indent=1) + "\n")
    print(*report.examples, sep="\n")
    print(
        f"theirs={report.theirs} ours={report.ours} lacking={report.lacking} different={report.different}"
        f" refused={report.refused} let_in={report.let_in}"
    )
    return 0 if report.well else 1


if __name__ == "__main__":
    sys.exit(main())
