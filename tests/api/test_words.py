"""How pages write lengths of time, and what limits a forecast."""

from datetime import UTC, datetime

import msgspec
import pytest

from api.owners.words import forecast_of
from api.words import lasting
from contracts.records import Prediction


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "–"), (0.0, "0.0 s"), (0.44, "0.4 s"), (-3.0, "3.0 s"), (119.0, "119 s"), (120.0, "2 min"),
        (3_101.0, "52 min"), (7_200.0, "2.0 h"), (86_400.0, "24.0 h"), (181_440.0, "2.1 days"),
    ],
)  # fmt: skip
def test_a_length_of_time_is_said_in_the_unit_that_people_would_take(seconds: float | None, said: str) -> None:
    assert lasting(seconds) == said


def test_a_forecast_says_that_nobody_confirmed_what_it_rests_on() -> None:
    at = datetime(2026, 11, 22, tzinfo=UTC)
    made = Prediction(
        v=1, id="x", tenant="acme", device="p1", model="pump", model_version="1", component="bearing",
        failure_mode="wear", mode_probability=1.0, issued_at=at, measured_at=at, alarm_id="a", alarm_since=at,
        score=2.0, threshold=1.0, health=50.0, p_fail=None, risk_hours=[], risk=[], remaining=None, evidence_from=at,
        carriers=[], quality="good", pageable=True,
    )  # fmt: skip
    assert forecast_of(made, "p1", None).quality == "good"
    unsure = msgspec.structs.replace(made, baseline=0, baseline_confirmed=False, quality="no readings of speed")
    said = "nobody has confirmed yet that the machine was healthy while its usual values were learned"
    assert forecast_of(unsure, "p1", None).quality == f"{said}; no readings of speed"
