"""How pages write lengths of time."""

import pytest

from api.words import lasting


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "–"), (0.0, "0.0 s"), (0.44, "0.4 s"), (-3.0, "3.0 s"), (119.0, "119 s"), (120.0, "2 min"),
        (3_101.0, "52 min"), (7_200.0, "2.0 h"), (86_400.0, "24.0 h"), (181_440.0, "2.1 days"),
    ],
)  # fmt: skip
def test_a_length_of_time_is_said_in_the_unit_that_people_would_take(seconds: float | None, said: str) -> None:
    assert lasting(seconds) == said
