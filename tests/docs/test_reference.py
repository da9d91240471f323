"""The reference pages say what the code does."""

import re
import tomllib
from pathlib import Path

from forewarn import reference
from forewarn.environment import PREFIX

ROOT = Path(__file__).parents[2]
SETTING = re.compile(rf"\b{PREFIX}[A-Z][A-Z_]+[A-Z]\b")
CODE = ("contracts", "plumbing", "edge_agent", "ingest", "anomaly", "work_orders", "api", "simulators", "forewarn")


def test_the_command_line_page_is_what_help_prints() -> None:
    assert (ROOT / "docs/cli.md").read_text() == reference.cli(), "run `make docs`"


def test_the_page_of_figures_is_what_the_views_count() -> None:
    assert (ROOT / "docs/figures.md").read_text() == reference.figures(), "run `make docs`"


def test_every_setting_in_the_code_is_on_the_settings_page_and_none_besides() -> None:
    used = {
        name
        for package in CODE
        for path in (ROOT / package).rglob("*.py")
        for name in SETTING.findall(path.read_text())
        if not name.endswith("_FILE")
    }
    said = {name for name in SETTING.findall((ROOT / "docs/settings.md").read_text()) if not name.endswith("_FILE")}
    assert said == used | {"FOREWARN_REQUIRE_SERVERS"}


def test_every_top_level_package_stands_in_the_contract_across_packages() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    linter = project["tool"]["importlinter"]
    named = {part.strip() for layer in linter["contracts"][0]["layers"] for part in layer.split("|")}
    found = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks", "deploy"}
    assert packages == found == set(linter["root_packages"])
    assert named | {"simulators"} == packages


def test_no_module_is_longer_than_its_idea() -> None:
    long = {
        str(path.relative_to(ROOT)): n
        for package in (*CODE, "tests", "benchmarks", "deploy")
        for path in (ROOT / package).rglob("*.py")
        if (n := len(path.read_text().splitlines())) > 450
    }
    assert not long


def test_words_that_the_glossary_bans_are_not_module_names() -> None:
    banned = {"utils", "helpers", "helper", "manager", "base", "common", "misc"}
    assert not [p for package in CODE for p in (ROOT / package).rglob("*.py") if p.stem in banned]
