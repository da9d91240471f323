"""Every fault of an asset model is reported at once, with line, field and rule."""

from pathlib import Path

import pytest

from contracts import asset_model_text
from contracts.asset_model import Role
from contracts.asset_model_text import BadAssetModel, parse

SHIPPED = Path(__file__).parents[2] / "asset_models"
GOOD = """\
name: fan
version: 2
title: Fan
running_when: speed > 300
regimes: [speed]
signals:
  speed: {unit: /min, range: [0, 3000], role: condition, title: Speed}
  vibration: {unit: mm/s, range: [0, 100], role: symptom, title: Vibration}
components:
  bearing:
    title: Bearing
    failure_modes:
      wear:
        title: Wear
        code: VIB
        symptoms: {vibration: up}
        limit: {signal: vibration, value: 9, spread: 0.35}
        checks: [Listen]
        remedy: Replace
        part: b-1
        skill: mechanical
        minutes: 60
        covered: true
        consequence: It stops.
        costs:
          failure: {customer: 100, provider: 10}
          planned: {customer: 0, provider: 10}
          false_visit: {customer: 0, provider: 5}
detection: {threshold: 2.5, fleet: true}
plans:
  grease: {title: Grease, tasks: [Grease it], every_hours: 4000, every_months: 6}
"""


def faults(text: str) -> list[tuple[int, str]]:
    """Line and field of each fault."""
    with pytest.raises(BadAssetModel) as caught:
        parse(text, "fan.yaml", lambda code: code != "furlong")
    return [(f.line, f.field) for f in caught.value.faults]


def test_a_sound_model_is_read() -> None:
    model = parse(GOOD, "fan.yaml")
    assert (model.name, model.version, model.by_role(Role.SYMPTOM)) == ("fan", 2, ("vibration",))
    assert model.detection.threshold == 2.5
    assert model.detection.fleet
    assert model.running_when
    assert model.running_when.holds(301)
    assert not model.running_when.holds(300)
    wear = model.mode("wear")
    assert wear
    assert wear.failure.total == 110
    assert model.mode("rust") is None
    grease = model.plans["grease"]
    assert (grease.tasks, grease.every_months, grease.every_hours, grease.minutes) == (("Grease it",), 6, 4000, 60)


@pytest.mark.parametrize(
    ("old", "new", "line", "field"),
    [
        ("name: fan", "name: a b", 1, "name"),
        ("title: Fan", "titel: Fan", 3, "titel"),
        ("unit: mm/s", "unit: furlong", 8, "signals.vibration.unit"),
        ("range: [0, 100]", "range: [0]", 8, "signals.vibration.range"),
        ("role: symptom", "role: other", 8, "signals.vibration.role"),
        ("regimes: [speed]", "regimes: [vibration]", 5, "regimes[0]"),
        ("threshold: 2.5", "threshold: high", 29, "detection.threshold"),
        ("fleet: true", "fleet: 1", 29, "detection.fleet"),
        ("tasks: [Grease it]", "tasks: []", 31, "plans.grease.tasks"),
        ("every_hours: 4000, every_months: 6", "minutes: 3", 31, "plans.grease"),
        ("minutes: 60", "minutes: .inf", 22, "components.bearing.failure_modes.wear.minutes"),
        ("planned: {customer: 0, provider: 10}", "planned: {customer: 0}", 27,
         "components.bearing.failure_modes.wear.costs.planned.provider"),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_its_line_and_field(old: str, new: str, line: int, field: str) -> None:
    found = faults(GOOD.replace(old, new, 1))
    assert (line, field) in found


def test_an_unknown_cost_is_asked_for() -> None:
    lines = [line for line in GOOD.splitlines() if "false_visit" not in line]
    assert any(field.endswith("false_visit") for _, field in faults("\n".join(lines)))


def test_all_faults_come_at_once() -> None:
    found = faults(GOOD.replace("unit: mm/s", "unit: furlong").replace("name: fan", "name: a b"))
    assert len(found) >= 2


LAUGHS = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 8)}]\n" for i in range(1, 9)
)


@pytest.mark.parametrize(
    "text", ["", "a: [", "\0", "- a", "a: &x [*x]", "name: x\nname: y", "[" * 5_000, "- " * 300_000, LAUGHS]
)
def test_what_is_no_model_is_a_fault_and_nothing_worse(text: str) -> None:
    assert faults(text)


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_both_ways_to_read_yaml_come_to_the_same(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = path.read_text("utf-8")
    quickly = parse(text, path.name)
    monkeypatch.setattr(asset_model_text, "MAX_OPENING", 0)
    assert parse(text, path.name) == quickly
