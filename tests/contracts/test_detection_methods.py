"""Which methods a model's machines are watched by."""

import pytest

from contracts.asset_model import AssetModel
from contracts.asset_model_text import BadAssetModel, parse
from contracts.detection_methods import methods_of

MODE = """
components:
  part:
    title: Part
    failure_modes:
      worn:
        title: Worn
        symptoms: {level: up}
        limit: {signal: level, value: 9}
        remedy: Replace it
        skill: mechanical
        minutes: 60
        consequence: It stops.
        costs: {failure: &c {customer: 1, provider: 1}, planned: *c, false_visit: *c}
"""
LEVEL = "level: {unit: m, range: [0, 10], role: symptom}"
SPEED = "speed: {unit: /min, range: [0, 10], role: condition}"


def model(signals: str = LEVEL, rest: str = "") -> AssetModel:
    return parse(f"name: x\nversion: 1\ntitle: X\nsignals: {{{signals}}}\n{rest}", "x.yaml")


@pytest.mark.parametrize(
    ("signals", "rest", "methods"),
    [
        (LEVEL, "", ("seasonal",)),
        (LEVEL, MODE, ("seasonal", "limits")),
        (f"{LEVEL}, {SPEED}", "", ("baseline",)),
        (f"{LEVEL}, {SPEED}", MODE, ("baseline", "limits")),
        (f"{LEVEL}, {SPEED}", "detection: {methods: [cusum, baseline]}", ("baseline", "cusum")),
        (LEVEL, "detection: {methods: [baseline]}", ("baseline",)),
        (LEVEL, "detection: {fleet: true}", ("baseline",)),
    ],
)
def test_what_runs_is_what_is_named_or_follows_from_the_model(
    signals: str, rest: str, methods: tuple[str, ...]
) -> None:
    assert methods_of(model(signals, rest)) == methods


def test_a_single_signal_is_judged_sample_by_sample_unless_the_file_says_otherwise() -> None:
    made, given = model().detection, model(rest="detection: {hold_samples: 3}").detection
    assert (made.hold_samples, made.hold_hours, made.clear) == (1, 0.0, 0.4)
    assert (given.hold_samples, given.hold_hours) == (3, 0.0)


@pytest.mark.parametrize(
    ("detection", "rule"),
    [
        ("{methods: [shape]}", "must be a list of baseline, cusum, seasonal, limits"),
        ("{methods: baseline}", "must be a list of"),
        ("{methods: []}", "must be a list of"),
        ("{methods: [cusum, cusum]}", "names a method twice"),
        ("{methods: [limits]}", "limits needs a failure mode with a limit"),
        ("{methods: [baseline, cusum], adapt_hours: 9}", "stands still: leave out adapt_hours"),
        ("{methods: [seasonal], fleet: true}", "leave out fleet"),
    ],
)
def test_words_that_cannot_be_are_faults_with_their_line(detection: str, rule: str) -> None:
    with pytest.raises(BadAssetModel) as caught:
        model(rest=f"detection: {detection}")
    (fault,) = caught.value.faults
    assert (fault.line, fault.field) == (5, "detection.methods")
    assert rule in fault.rule
