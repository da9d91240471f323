"""The agent runs on small machines: what it loads and what it needs."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from edge_agent.adapters.outbox import Limits, SqliteOutbox
from tests.edge_agent.modbus_server import ModbusServer

MOST_RESIDENT_BYTES = 60_000_000
HEAVY = {"numpy", "pandas", "scipy", "sklearn", "sqlalchemy", "fastapi", "pydantic", "duckdb", "amqtt", "statsmodels"}
EXTRAS = {"asyncua", "bacpypes3", "cryptography"}
SERVER = {"ingest", "anomaly", "work_orders", "api", "simulators", "asset_models"}

PROGRAM = """
import json, os, signal, sys, threading, time, psutil
from MODULE import main

def measure():
    time.sleep(6)
    modules = sorted({name.split(".")[0] for name in sys.modules})
    print(json.dumps({"rss": psutil.Process().memory_info().rss, "modules": modules}), flush=True)
    os.kill(os.getpid(), signal.SIGTERM)

threading.Thread(target=measure).start()
sys.exit(main([*sys.argv[2:], "--config", sys.argv[1]]))
"""


@pytest.mark.parametrize(
    ("module", "words", "besides"),
    [("forewarn.__main__", ["run", "agent"], set()), ("edge_agent.__main__", ["run"], {"forewarn"})],
)
def test_an_agent_with_host_csv_and_modbus_stays_below_60_mb_and_loads_nothing_of_the_server(
    tmp_path: Path, module: str, words: list[str], besides: set[str]
) -> None:
    rows = "".join(f"2026-11-22T10:00:{i // 100:02}.{i % 100:02}0Z,{i}\n" for i in range(5000))
    (tmp_path / "in.csv").write_text("time,vibration\n" + rows)
    server = ModbusServer()
    server.start()
    line = {
        "connection": {"host": "127.0.0.1", "port": server.port}, "every": 0.1,
        "signals": {f"r{i}": {"address": i, "type": "float32"} for i in range(0, 200, 2)},
    }  # fmt: skip
    (tmp_path / "line.yaml").write_text(yaml.safe_dump(line))
    (tmp_path / "agent.toml").write_text(
        'mqtt = "mqtt://acme%2Fpump:secret@127.0.0.1:1"\n[outbox]\npath = "outbox.sqlite"\n'
        '[drivers.csv]\npath = "in.csv"\nrate = 0\n[drivers.host]\nevery = 0.1\n[modbus]\nfile = "line.yaml"\n'
    )
    program = PROGRAM.replace("MODULE", module)
    ran = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "agent.toml"), *words],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    server.end()
    said = json.loads(next(line for line in ran.stdout.splitlines() if line.startswith("{")))
    outbox = SqliteOutbox(tmp_path / "outbox.sqlite", Limits(), time.monotonic)
    assert outbox.waiting > 5000  # the file, this computer and the line
    assert int(outbox.position("modbus").partition(":")[2]) > 5
    outbox.close()
    assert not (HEAVY | EXTRAS | SERVER | besides) & set(said["modules"])
    assert said["rss"] < MOST_RESIDENT_BYTES
