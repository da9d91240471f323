"""Units by their UCUM codes."""

import pytest

from contracts.units import WrongDimension, conversion
from plumbing import ucum
from plumbing.ucum import UcumUnits

UNITS = UcumUnits()


@pytest.mark.parametrize(
    ("given", "wanted", "value", "expected"),
    [
        ("Cel", "K", 20.0, 293.15),
        ("[degF]", "Cel", 212.0, 100.0),
        ("[degF]", "Cel", -40.0, -40.0),
        ("Cel", "[degF]", 37.0, 98.6),
        ("[degR]", "K", 540.0, 300.0),
        ("/min", "Hz", 1500.0, 25.0),
        ("{rpm}/min", "/min", 1500.0, 1500.0),
        ("bar", "Pa", 2.5, 250_000.0),
        ("[psi]", "bar", 14.503773773, 1.0),
        ("mm[Hg]", "kPa", 7.50061575846, 1.0),
        ("[in_i]/s", "mm/s", 1.0, 25.4),
        ("[g]", "m/s2", 1.0, 9.80665),
        ("m[g]", "m/s2", 1000.0, 9.80665),
        ("m[g]/s", "m/s3", 1000.0, 9.80665),
        ("u[g]", "m[g]", 1000.0, 1.0),
        ("[lb_av]", "g", 1.0, 453.59237),
        ("[gal_us]/min", "L/min", 1.0, 3.785411784),
        ("m3/h", "L/min", 6.0, 100.0),
        ("[HP]", "kW", 1.0, 0.7456998715822),
        ("%", "1", 50.0, 0.5),
        ("KiBy", "By", 1.0, 1024.0),
        ("h", "min", 2.0, 120.0),
        ("dB", "dB", 7.0, 7.0),
    ],
)
def test_values_convert(given: str, wanted: str, value: float, expected: float) -> None:
    a, b = UNITS.resolve(given), UNITS.resolve(wanted)
    assert a
    assert b
    scale, shift = conversion(a, b)
    assert value * scale + shift == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [("Cel", "bar"), ("g", "[g]"), ("mm/s", "mm"), ("%", "By"), ("deg", "%"), ("dB", "1"), ("[pH]", "1"), ("A", "V")],
)
def test_other_dimensions_do_not_convert(given: str, wanted: str) -> None:
    a, b = UNITS.resolve(given), UNITS.resolve(wanted)
    assert a
    assert b
    with pytest.raises(WrongDimension):
        conversion(a, b)


@pytest.mark.parametrize(
    "code",
    [
        "",
        "rpm",
        "nonsense",
        "mm/s}",
        "°C",
        "1/0",
        "[psig]",
        "10*99999999",
        "m99999999",
        "9" * 39,
        "m" * 41,
        "((((",
        "\0",
    ],
)
def test_what_is_no_code_is_not_known(code: str) -> None:
    assert UNITS.resolve(code) is None


@pytest.mark.parametrize("code", sorted(ucum._TABLE))
def test_the_table_says_what_ucumvert_says(code: str) -> None:
    listed, looked_up = UcumUnits().resolve(code), UNITS.look_up(code)
    assert listed
    assert looked_up
    assert listed.dimension == looked_up.dimension
    assert listed.factor == pytest.approx(looked_up.factor, rel=1e-12)
    assert listed.offset == pytest.approx(looked_up.offset, rel=1e-12)


def test_unknown_codes_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ucum, "MAX_CACHED", len(ucum._TABLE) + 3)
    units = UcumUnits()
    for i in range(20):
        assert units.resolve(f"zz{i}") is None
    assert len(units._known) <= len(ucum._TABLE) + 3
