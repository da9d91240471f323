from pathlib import Path

import pytest

from edge_agent import settings
from edge_agent.settings import BadSettings

URL = "mqtt://acme%2Fpump-1:hunter2@broker:1884"


def config(tmp_path: Path, text: str) -> Path:
    (tmp_path / "in.csv").write_text("t,x\n1,1\n")
    path = tmp_path / "agent.toml"
    path.write_text(text)
    return path


def faults(tmp_path: Path, text: str, **environ: str) -> dict[str, str]:
    with pytest.raises(BadSettings) as bad:
        settings.load(config(tmp_path, text), environ)
    assert str(tmp_path / "agent.toml") in str(bad.value)
    assert "hunter2" not in str(bad.value)
    return {f.field: f.rule for f in bad.value.faults}


def test_a_small_file_and_the_environment_are_enough(tmp_path: Path) -> None:
    text = '[drivers.csv]\npath = "in.csv"\ntime = "t"\n'
    made = settings.load(config(tmp_path, text), {"FOREWARN_MQTT_URL": URL, "FOREWARN_HOME": str(tmp_path / "home")})
    assert (made.mqtt_url, made.tenant, made.device) == (URL, "acme", "pump-1")
    assert (made.window, made.batch) == (1000, 10)
    assert made.outbox == tmp_path / "home" / "agent" / "acme@pump-1.sqlite"
    assert made.drivers["csv"].options.text("time") == "t"
    assert "hunter2" not in repr(made)


def test_a_driver_may_stand_at_the_top_under_its_own_name(tmp_path: Path) -> None:
    text = '[csv]\npath = "in.csv"\ntime = "t"\nrate = 5\n'
    made = settings.load(config(tmp_path, text), {"FOREWARN_MQTT_URL": URL})
    assert list(made.drivers) == ["csv"]
    assert made.drivers["csv"].options.text("time") == "t"


def test_everything_can_be_set(tmp_path: Path) -> None:
    text = f"""
mqtt = "{URL}"
window = 5000
batch = 100
[outbox]
path = "box.sqlite"
max_mb = 10
max_days = 2
[drivers.line1]
kind = "csv"
path = "in.csv"
time = "t"
rate = 5
units = {{x = "mm/s"}}
[drivers.host]
"""
    made = settings.load(config(tmp_path, text), {})
    assert (made.window, made.batch, made.outbox) == (5000, 100, tmp_path / "box.sqlite")
    assert (made.limits.max_bytes, made.limits.max_age_s) == (10_000_000, 172_800)
    assert made.drivers["line1"].units == {"x": "mm/s"}
    assert made.drivers["host"].kind == "host"


def test_the_secret_can_lie_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "url").write_text(URL + "\n")
    made = settings.load(config(tmp_path, "[drivers.host]\n"), {"FOREWARN_MQTT_URL_FILE": str(tmp_path / "url")})
    assert made.mqtt_url == URL


def test_every_fault_is_reported_at_once(tmp_path: Path) -> None:
    found = faults(
        tmp_path,
        'windows = 3\nwindow = 0\nbatch = "ten"\n[outbox]\nsize = 4\nmax_mb = -1\npath = 3\n'
        '[drivers.csv]\nrate = "fast"\nunits = {x = 1}\n[drivers.opc]\nurl = "x"\n',
        FOREWARN_MQTT_URL="mqtt://pump:hunter2@broker",
    )
    assert found.keys() == {
        "windows", "window", "batch", "outbox.size", "outbox.max_mb", "outbox.path", "drivers.csv.rate",
        "drivers.csv.path", "drivers.csv.units.x", "drivers.opc.kind", "FOREWARN_MQTT_URL",
    }  # fmt: skip


@pytest.mark.parametrize("url", ["http://a:hunter2@b", "mqtt://acme%2Fpump:hunter2@b:port", "mqtt://:hunter2@b", ""])
def test_a_broker_address_that_cannot_be_is_refused_without_showing_its_secret(tmp_path: Path, url: str) -> None:
    assert "FOREWARN_MQTT_URL" in faults(tmp_path, "[drivers.host]\n", FOREWARN_MQTT_URL=url)


@pytest.mark.parametrize("text", ["[drivers", "drivers = 3", ""])
def test_a_file_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    assert faults(tmp_path, text, FOREWARN_MQTT_URL=URL)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSettings):
        settings.load(tmp_path / "none.toml", {})
