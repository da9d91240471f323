"""What is shown to people as the reason of a forecast."""

from pathlib import Path

import pytest

from contracts.asset_model import AssetModel, FailureMode
from contracts.evidence import CAME, OLD, evidence, in_words
from contracts.records import Carrier
from plumbing.model_files import ModelFiles

PUMP = ModelFiles(Path("nowhere"))("centrifugal-pump")
assert PUMP is not None
MODEL: AssetModel = PUMP
VIBRATION = Carrier("vibration", 0.6, "up", 4.21, 2.2, (2.0, 2.4))
LEAKAGE = Carrier("seal_leakage", 0.3, "down", 7.9, 8.3, (8.0, 8.6))
SUCTION = Carrier("suction_pressure", 0.2, "down", 1.58, 1.59, (1.52, 1.66))
WARM = Carrier("bearing_temperature", 0.1, "up", 61.0, 57.0, (55.0, 59.0))
CARRIERS = [VIBRATION, LEAKAGE, SUCTION, WARM]


def mode(name: str) -> FailureMode:
    found = MODEL.mode(name)
    assert found is not None
    return found


def signals(of: list[Carrier]) -> list[str]:
    return [c.signal for c in of]


def test_only_symptoms_of_the_named_failure_are_its_reason() -> None:
    assert signals(evidence(CARRIERS, mode("bearing_wear"))) == ["vibration", "bearing_temperature"]


def test_a_symptom_that_went_the_other_way_speaks_against_it() -> None:
    assert evidence(CARRIERS, mode("seal_leakage")) == []


def test_a_symptom_within_its_usual_range_is_no_reason() -> None:
    assert evidence(CARRIERS, mode("clogged_filter")) == []


def test_where_the_failure_is_not_known_the_strongest_that_stand_out_are_shown() -> None:
    assert signals(evidence(CARRIERS, None)) == ["vibration", "seal_leakage", "bearing_temperature"]


@pytest.mark.parametrize(
    ("carrier", "words"),
    [
        (VIBRATION, "vibration velocity (RMS) is higher than expected (4.21 mm/s; usual now: 2 to 2.4 mm/s)"),
        (LEAKAGE, "seal leakage is lower than expected (7.9 mL/h; usual now: 8 to 8.6 mL/h)"),
        (Carrier("current", 1, "up", 4.2, 2.1), "motor current is higher than expected (4.2 A instead of 2.1 A)"),
        (Carrier("vibration", 1, "up"), "vibration velocity (RMS) is higher than expected"),
        (Carrier("oil_level", 1, "down", 3.0, 4.0), "oil level is lower than expected (3 instead of 4)"),
    ],
)  # fmt: skip
def test_evidence_says_how_far_it_is_outside(carrier: Carrier, words: str) -> None:
    assert in_words(carrier, MODEL) == words


def test_an_error_and_age_are_reasons_though_no_symptoms_of_the_failure() -> None:
    errors = [Carrier("vibration", 0.5, CAME, 3.0), Carrier("age", 0.5, OLD, 12345.0)]
    assert evidence(errors, mode("bearing_wear")) == errors
    assert [in_words(c, MODEL) for c in errors] == [
        "vibration velocity (RMS) came 3 h ago",
        "it has run for 12,345 h since it was new or first seen",
    ]
