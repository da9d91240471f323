"""Commands and guided diagnosis of asset models: what is refused, and what outcomes do to the probabilities."""

from pathlib import Path

import pytest

from contracts.asset_model_text import BadAssetModel, parse
from contracts.command_kinds import check_args
from contracts.commands import Risk
from contracts.diagnosis import NOTHING, posterior
from edge_agent.domain.actions import actions
from plumbing.model_files import ModelFiles
from tests.edge_agent.test_actions import Bench

MODEL = """
name: pump
title: Pump
signals:
  vibration: {unit: mm/s, range: [0, 100], role: symptom, title: Vibration}
components:
  bearing:
    title: Bearing
    failure_modes:
      wear:
        title: Wear
        symptoms: {vibration: up}
        remedy: Replace it
        skill: mechanical
        minutes: 90
        consequence: It stops.
        costs:
          failure: {customer: 1, provider: 1}
          planned: {customer: 1, provider: 1}
          false_visit: {customer: 1, provider: 1}
commands:
  look: {risk: read, args: {seconds: {range: [1, 5], default: 2}}}
  move: {risk: guarded, safety_function: false}
diagnosis:
  checks:
    lines:
      title: Lines
      command: look
      value: a.b
      source: engineering estimate
      outcomes:
        - {when: "< 4", factors: {wear: 0.5}, says: none}
        - {when: ">= 4, < 8", factors: {wear: 2}, says: weak}
        - {when: ">= 8", factors: {wear: 10, nothing: 0.1}, says: strong}
  modes: {wear: [lines]}
"""


def test_a_model_with_commands_and_checks_is_read() -> None:
    model = parse(MODEL, "pump.yaml")
    assert model.commands["move"].risk is Risk.GUARDED
    assert check_args(model.commands["look"], {}) == {"seconds": 2.0}
    check = model.diagnosis.checks["lines"]
    found = [check.outcome(x) for x in (-1, 3.9, 4, 7.9, 8, 1e9)]
    assert [o.says for o in found if o] == ["none", "none", "weak", "weak", "strong", "strong"]
    assert check.outcome(float("nan")) is None


FAULTS = {
    "a safety function": ("safety_function: false", "safety_function: true", "no command may touch a safety function"),
    "silence about it": (", safety_function: false", "", "must say: safety_function: false"),
    "a vague word about it": ("safety_function: false", "safety_function: maybe", "must say: safety_function: false"),
    "an unknown risk": ("risk: read", "risk: harmless", "must be one of read, safe, guarded"),
    "a range upside down in a default": ("default: 2", "default: 9", "must lie between 1 and 5"),
    "a number without a range": ("range: [1, 5], ", "", "must be [lowest, highest]"),
    "a check by a guarded command": ("command: look", "command: move", "must be a read command"),
    "a check by an unknown command": ("command: look", "command: smell", "must be a read command"),
    "a factor for an unknown mode": ("{wear: 0.5}", "{tear: 0.5}", "is not known here"),
    "a factor of nought": ("{wear: 0.5}", "{wear: 0}", "must lie between"),
    "a condition that cannot be read": ('"< 4"', '"about 4"', "must read >= NUMBER"),
    "a condition that never holds": ('">= 4, < 8"', '">= 8, < 4"', "holds for no value"),
    "a check of an unknown mode": ("modes: {wear", "modes: {tear", "is no failure mode"),
    "an unknown check of a mode": ("[lines]", "[lines, smell]", "must be a list of checks"),
    "no source": ("      source: engineering estimate\n", "", "is missing: a text"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_fault_is_named(case: str) -> None:
    old, new, rule = FAULTS[case]
    assert old in MODEL
    with pytest.raises(BadAssetModel) as bad:
        parse(MODEL.replace(old, new), "pump.yaml")
    assert any(rule in fault.rule for fault in bad.value.faults), bad.value.faults


def test_outcomes_multiply_the_odds() -> None:
    check = parse(MODEL, "pump.yaml").diagnosis.checks["lines"]
    strong, none = check.outcome(9), check.outcome(1)
    assert strong is not None
    assert none is not None
    prior = {"wear": 0.6, "other": 0.3, NOTHING: 0.1}
    after = posterior(prior, [strong])
    assert after == pytest.approx({"wear": 6 / 6.31, "other": 0.3 / 6.31, NOTHING: 0.01 / 6.31})
    assert posterior(prior, [none])["wear"] == pytest.approx(0.3 / 0.7)
    assert posterior(prior, []) == pytest.approx(prior)


@pytest.mark.parametrize("name", ["centrifugal-pump", "chiller", "host-computer"])
def test_what_a_shipped_model_declares_the_agent_has_in_the_same_words(name: str, tmp_path: Path) -> None:
    model = ModelFiles(tmp_path)(name)
    assert model is not None
    have = actions(Bench(), lambda: 0.0)
    for command in model.commands.values():
        if command.name in have:
            assert command.args == have[command.name].kind.args
            assert command.risk is have[command.name].kind.risk
    assert {"snapshot", "self_test", "log_excerpt", "burst", "set_sampling", "restart"} <= model.commands.keys()
    assert model.diagnosis.modes
    assert all(c.source for c in model.diagnosis.checks.values())
