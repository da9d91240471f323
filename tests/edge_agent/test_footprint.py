"""The agent runs on small machines: what it loads and what it needs."""

import json
import subprocess
import sys
from pathlib import Path

MOST_RESIDENT_BYTES = 60_000_000
HEAVY = {"numpy", "pandas", "scipy", "sklearn", "sqlalchemy", "fastapi", "pydantic", "duckdb", "amqtt", "statsmodels"}

PROGRAM = """
import json, os, sys, time, psutil
from pathlib import Path
from edge_agent import settings, wiring
service = wiring.build(settings.load(Path(sys.argv[1]), {}))
service.start()
until = time.monotonic() + 30
while service.agent.counters.read < 2_003 and time.monotonic() < until:
    time.sleep(0.05)
rss = psutil.Process().memory_info().rss
read = service.agent.counters.read
service.stop()
print(json.dumps({"rss": rss, "read": read, "modules": sorted({name.split(".")[0] for name in sys.modules})}))
"""


def test_an_agent_with_host_and_csv_stays_below_60_mb_and_loads_no_analysis_library(tmp_path: Path) -> None:
    rows = "".join(f"2026-11-22T10:00:{i // 100:02}.{i % 100:02}0Z,{i}\n" for i in range(2000))
    (tmp_path / "in.csv").write_text("time,vibration\n" + rows)
    (tmp_path / "agent.toml").write_text(
        'mqtt = "mqtt://acme%2Fpump:secret@127.0.0.1:1"\n[outbox]\npath = "outbox.sqlite"\n'
        '[drivers.csv]\npath = "in.csv"\nrate = 0\n[drivers.host]\nevery = 0.1\n'
    )
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "agent.toml")], capture_output=True, text=True, check=True
    )
    said = json.loads(ran.stdout)
    assert said["read"] >= 2_003
    assert not HEAVY & set(said["modules"])
    assert said["rss"] < MOST_RESIDENT_BYTES
