"""The arithmetic of scaled clocks and of units."""

from datetime import UTC, datetime, timedelta

import pytest

from contracts.clock import Anchor, read
from contracts.units import Unit, WrongDimension, conversion

WALL = datetime(2026, 11, 22, 10, tzinfo=UTC)
AT = datetime(2027, 1, 1, tzinfo=UTC)
LINE = [Anchor(WALL, AT, 60.0), Anchor(WALL + timedelta(seconds=10), AT + timedelta(seconds=600), 0.0)]


@pytest.mark.parametrize(
    ("seconds", "tenant_seconds", "factor"),
    [(-5, 0, 60.0), (0, 0, 60.0), (5, 300, 60.0), (9.5, 570, 60.0), (10, 600, 0.0), (99, 600, 0.0)],
)
def test_a_clock_is_read_by_the_last_anchor_in_force(seconds: float, tenant_seconds: float, factor: float) -> None:
    assert read(LINE, WALL + timedelta(seconds=seconds)) == (AT + timedelta(seconds=tenant_seconds), factor)


def test_units_of_one_dimension_convert() -> None:
    kelvin, celsius = Unit("K", "kelvin", 1.0), Unit("Cel", "kelvin", 1.0, 273.15)
    fahrenheit = Unit("[degF]", "kelvin", 5 / 9, 459.67 * 5 / 9)
    for given, wanted, x, y in [
        (celsius, kelvin, 0, 273.15),
        (kelvin, celsius, 0, -273.15),
        (celsius, fahrenheit, 100, 212),
    ]:
        scale, shift = conversion(given, wanted)
        assert x * scale + shift == pytest.approx(y, abs=1e-9)
    assert conversion(celsius, celsius) == (1.0, 0.0)


def test_units_of_two_dimensions_do_not() -> None:
    with pytest.raises(WrongDimension, match="m measures meter, s second"):
        conversion(Unit("m", "meter", 1.0), Unit("s", "second", 1.0))
