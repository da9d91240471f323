"""What docs/drivers.md shows is what the drivers take."""

import re
import tomllib
from pathlib import Path

import pytest

from edge_agent.adapters import drivers

PAGE = (Path(__file__).parents[2] / "docs" / "drivers.md").read_text()
SECTIONS = {text.split("\n", 1)[0]: text for text in PAGE.split("\n## ")[1:]}
FILES = ("broker.secret", "opcua.secret", "agent.der", "agent.pem", "server.der")


@pytest.mark.parametrize("kind", ["bacnet", "modbus", "mqtt", "opcua"])
def test_the_example_of_each_driver_has_no_fault(kind: str, tmp_path: Path) -> None:
    for name in FILES:
        (tmp_path / name).write_text("secret")
    example = re.search(r"```yaml\n(.*?)```", SECTIONS[kind], re.DOTALL)
    assert example
    (tmp_path / "d.yaml").write_text(example[1])
    options, faults = drivers.check(kind, {"file": "d.yaml"}, str(tmp_path), kind)
    assert faults == []
    assert drivers.load(kind).plan(options).lines


def test_every_driver_stands_in_the_table_and_the_first_example_is_toml() -> None:
    for kind in drivers.names():
        assert f"| `{kind}` |" in PAGE
    example = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert example
    assert tomllib.loads(example[1])["modbus"] == {"file": "chiller.yaml"}
