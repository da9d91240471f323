"""What an agent needs of memory with each driver, reading a real server of its protocol.

    .venv/bin/python -m benchmarks.agent_memory [--seconds 20] [--json FILE]

Prints resident bytes (RSS) and those that no other process shares (USS), in MB, after so many seconds of reading.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import yaml

from edge_agent.adapters.outbox import Limits, SqliteOutbox
from tests.edge_agent.live_worlds import WORLDS

URL = "mqtt://acme%2Fpump:secret@127.0.0.1:1"
"""Nobody listens there: all that is read waits in the outbox."""


def measured(folder: Path, kinds: list[str], seconds: float) -> dict[str, float]:
    """One agent with drivers of those kinds."""
    (folder / "in.csv").write_text("time,x\n" + "".join(f"{i},{i}\n" for i in range(100_000)))
    lines = [f'mqtt = "{URL}"', "[outbox]", 'path = "outbox.sqlite"']
    worlds = []
    for kind in kinds:
        lines.append(f"[drivers.{kind}]")
        if kind == "csv":
            lines += ['path = "in.csv"', "rate = 10"]
        elif kind in WORLDS:
            world = WORLDS[kind](folder)
            worlds.append(world)
            world.start()
            (folder / f"{kind}.yaml").write_text(yaml.safe_dump(world.content()))
            lines.append(f'file = "{kind}.yaml"')
    (folder / "agent.toml").write_text("\n".join(lines) + "\n")
    agent = subprocess.Popen([sys.executable, "-m", "edge_agent", "run", "--config", str(folder / "agent.toml")])
    try:
        for n in range(round(seconds * 2)):
            time.sleep(0.5)
            for world in worlds:
                world.say(float(n % 100))
        memory = psutil.Process(agent.pid).memory_full_info()
    finally:
        agent.terminate()
        agent.wait(30)
        for world in worlds:
            world.end()
    outbox = SqliteOutbox(folder / "outbox.sqlite", Limits(), time.monotonic)
    heard = {kind for kind in kinds if outbox.position(kind)}
    outbox.close()
    if silent := set(kinds) - heard - {"host"}:
        raise SystemExit(f"nothing was read by {', '.join(sorted(silent))}: the figure would mean nothing")
    return {"rss_mb": round(memory.rss / 1e6, 1), "uss_mb": round(memory.uss / 1e6, 1)}


def main() -> int:
    """Measure one after the other."""
    parser = argparse.ArgumentParser(description="Memory of the agent with each driver.")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args()
    found = {}
    for kinds in (["host"], ["host", "csv", "modbus"], ["mqtt"], ["opcua"], ["bacnet"]):
        with tempfile.TemporaryDirectory() as folder:
            name = ", ".join(kinds)
            found[name] = measured(Path(folder), kinds, given.seconds)
            print(f"{name}: {found[name]['rss_mb']} MB resident, {found[name]['uss_mb']} MB of its own", flush=True)
    if given.json:
        given.json.write_text(json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
