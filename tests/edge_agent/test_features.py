"""Features of fast signals, against signals whose features are known."""

import math
import random
from pathlib import Path

import pytest

from edge_agent import settings
from edge_agent.domain.driving import Cell
from edge_agent.domain.features import Featured, Window, features_of
from tests.edge_agent.test_by_exception import AT, Script
from tests.edge_agent.test_settings import URL, config, faults

RATE = 1000.0
BANDS = {"low": (0.0, 100.0), "mid": (100.0, 300.0), "high": (300.0, 500.0)}


def sine(hz: float, amplitude: float = 1.0, n: int = 1000) -> list[float]:
    return [amplitude * math.sin(2 * math.pi * hz * i / RATE) for i in range(n)]


def test_a_sine_has_the_features_of_a_sine() -> None:
    found = features_of([5.0 + x for x in sine(200.0, 3.0)], Window(1000, RATE, BANDS))
    assert found["rms"] == pytest.approx(3.0 / math.sqrt(2), rel=1e-9)
    assert found["peak"] == pytest.approx(3.0, rel=0.05)
    assert found["crest_factor"] == pytest.approx(math.sqrt(2), rel=0.05)
    assert found["kurtosis"] == pytest.approx(1.5, rel=1e-6)
    assert found["energy_mid"] == pytest.approx(4.5, rel=1e-6)
    assert found["energy_low"] == pytest.approx(0.0, abs=1e-9)
    assert found["energy_high"] == pytest.approx(0.0, abs=1e-9)


def test_noise_has_a_kurtosis_of_three_and_knocks_have_more() -> None:
    dice = random.Random(3)
    noise = [dice.gauss(0.0, 1.0) for _ in range(20_000)]
    plain = features_of(noise, Window(20_000))
    knocking = features_of([x + (12.0 if i % 500 == 0 else 0.0) for i, x in enumerate(noise)], Window(20_000))
    assert plain["kurtosis"] == pytest.approx(3.0, abs=0.15)
    assert (knocking["kurtosis"] or 0.0) > 2 * (plain["kurtosis"] or 9.0)
    assert (knocking["crest_factor"] or 0.0) > 2 * (plain["crest_factor"] or 9.0)


@pytest.mark.parametrize("n", [1000, 1001])
def test_the_bands_together_hold_all_of_it(n: int) -> None:
    dice = random.Random(5)
    values = [dice.gauss(0.0, 2.0) for _ in range(n)]
    all_bands = {"all": (0.0, 501.0), **BANDS}
    found = features_of(values, Window(n, RATE, all_bands))
    whole = found["energy_all"]
    assert whole == pytest.approx((found["rms"] or 0.0) ** 2, rel=0.15)
    assert sum(found[f"energy_{b}"] or 0.0 for b in BANDS) == pytest.approx(whole, rel=0.02)


@pytest.mark.parametrize("value", [0.0, 1e6, -3.5])
def test_a_signal_that_stands_still_has_no_shape(value: float) -> None:
    found = features_of([value] * 100, Window(100))
    assert found["rms"] == pytest.approx(0.0, abs=1e-6)
    assert found["crest_factor"] is None
    assert found["kurtosis"] is None


def test_a_window_goes_out_when_it_is_full_and_other_signals_as_ever() -> None:
    rows: list[dict[str, Cell]] = [{"v": float(i % 2), "t": 20.0 + i} for i in range(8)]
    rows.append({"v": None})
    rows += [{"v": 1.0} for _ in range(7)]
    featured = Featured(Script(rows), {"v": Window(8)})
    position, out = "", []
    for _ in rows:
        batch = featured.poll(position, AT, 0.0, 1)
        position = batch.position
        out += batch.readings
    assert [r.values.get("t") for r in out] == [20.0 + i for i in range(8)]
    assert out[7].values["v.rms"] == 0.5
    assert all("v" not in r.values for r in out)
    assert sum("v.rms" in r.values for r in out) == 1


def test_what_the_outbox_could_not_take_is_in_the_window_once() -> None:
    rows: list[dict[str, Cell]] = [{"v": float(i)} for i in range(8)]
    featured = Featured(Script(rows), {"v": Window(8, raw=True)})
    for n in range(8):
        for _ in range(3):
            batch = featured.poll(str(n) if n else "", AT, 0.0, 1)
    (last,) = batch.readings
    assert last.values["v"] == 7.0
    assert last.values["v.rms"] == pytest.approx(math.sqrt(5.25))


def test_the_file_says_which_signals_are_fast(tmp_path: Path) -> None:
    text = (
        '[csv]\npath = "in.csv"\ntime = "t"\n'
        "[csv.features.x]\nsamples = 400\nrate = 20\nbands = {slow = [0.5, 2], fast = [2, 10]}\n"
    )
    made = settings.load(config(tmp_path, text), {"FOREWARN_MQTT_URL": URL})
    assert made.drivers["csv"].windows == {"x": Window(400, 20.0, {"slow": (0.5, 2.0), "fast": (2.0, 10.0)})}


@pytest.mark.parametrize(
    ("table", "field"),
    [
        ("x = 5", "x"),
        ("x = {samples = 4}", "x.samples"),
        ("x = {samples = true}", "x.samples"),
        ("x = {samples = 100, rate = -1}", "x.rate"),
        ("x = {samples = 100, bands = {a = [1, 2]}}", "x.bands"),
        ("x = {samples = 100, rate = 20, bands = {a = [2, 1]}}", "x.bands.a"),
        ("x = {samples = 100, rate = 20, bands = {a = [1, 11]}}", "x.bands.a"),
        ("x = {samples = 100, raw = 1}", "x.raw"),
        ("x = {samples = 100, color = 1}", "x.color"),
        ('"a b" = {samples = 100}', "a b"),
    ],
)
def test_a_window_that_cannot_be_is_named(tmp_path: Path, table: str, field: str) -> None:
    text = f'[csv]\npath = "in.csv"\ntime = "t"\n[csv.features]\n{table}\n'
    assert list(faults(tmp_path, text, FOREWARN_MQTT_URL=URL)) == [f"drivers.csv.features.{field}"]
