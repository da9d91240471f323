"""The agent runs on small machines: what it loads and what it needs."""

import json
import subprocess
import sys
import time
from pathlib import Path

from edge_agent.adapters.outbox import Limits, SqliteOutbox

MOST_RESIDENT_BYTES = 60_000_000
HEAVY = {"numpy", "pandas", "scipy", "sklearn", "sqlalchemy", "fastapi", "pydantic", "duckdb", "amqtt", "statsmodels"}

PROGRAM = """
import json, os, signal, sys, threading, time, psutil
from forewarn.__main__ import main

def measure():
    time.sleep(4)
    modules = sorted({name.split(".")[0] for name in sys.modules})
    print(json.dumps({"rss": psutil.Process().memory_info().rss, "modules": modules}), flush=True)
    os.kill(os.getpid(), signal.SIGTERM)

threading.Thread(target=measure).start()
sys.exit(main(["run", "agent", "--config", sys.argv[1]]))
"""


def test_an_agent_with_host_and_csv_stays_below_60_mb_and_loads_no_analysis_library(tmp_path: Path) -> None:
    rows = "".join(f"2026-11-22T10:00:{i // 100:02}.{i % 100:02}0Z,{i}\n" for i in range(5000))
    (tmp_path / "in.csv").write_text("time,vibration\n" + rows)
    (tmp_path / "agent.toml").write_text(
        'mqtt = "mqtt://acme%2Fpump:secret@127.0.0.1:1"\n[outbox]\npath = "outbox.sqlite"\n'
        '[drivers.csv]\npath = "in.csv"\nrate = 0\n[drivers.host]\nevery = 0.1\n'
    )
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "agent.toml")], capture_output=True, text=True, check=True
    )
    said = json.loads(next(line for line in ran.stdout.splitlines() if line.startswith("{")))
    outbox = SqliteOutbox(tmp_path / "outbox.sqlite", Limits(), time.monotonic)
    assert outbox.waiting > 5000  # the file and this computer
    outbox.close()
    assert not HEAVY & set(said["modules"])
    assert said["rss"] < MOST_RESIDENT_BYTES
