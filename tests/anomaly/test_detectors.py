"""What every registered detector promises."""

import msgspec
import numpy as np
import pytest

from anomaly.domain.detector import DETECTORS, WindowDetector
from anomaly.domain.layout import layout_of
from anomaly.domain.packing import pack, unpack
from contracts.asset_model import AssetModel
from tests.anomaly.machines import HOUR_US, MODEL, SIGNALS, life

LAYOUT = layout_of(MODEL)
HOURS = 60


def detector(name: str) -> WindowDetector:
    return WindowDetector(LAYOUT, DETECTORS[name])


def rows(hours: float = HOURS, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    t_us, values = life(hours, seed)
    return t_us, LAYOUT.arrange(SIGNALS, values)


@pytest.fixture(params=sorted(DETECTORS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_rows_are_not_changed(name: str) -> None:
    t_us, values = rows()
    before = values.copy(), t_us.copy()
    detector(name).feed(t_us, values)
    assert np.array_equal(before[0], values, equal_nan=True)
    assert np.array_equal(before[1], t_us)


def test_warming_up_has_no_score(name: str) -> None:
    t_us, values = rows()
    made = detector(name)
    assert made.score(int(t_us[0]), values[0]) is None
    found = made.feed(t_us[:100], values[:100])
    assert np.isnan(found.score).all()
    assert made.score(int(t_us[100]), values[100]) is None


def test_same_rows_same_score(name: str) -> None:
    one, two = detector(name).feed(*rows()), detector(name).feed(*rows())
    assert np.array_equal(one.score, two.score, equal_nan=True)
    assert np.isfinite(one.score).any()


def test_asking_for_a_score_changes_nothing_and_gives_what_feeding_gives(name: str) -> None:
    t_us, values = rows()
    made = detector(name)
    made.feed(t_us[:-1], values[:-1])
    before = pack(made.state)
    asked = made.score(int(t_us[-1]), values[-1])
    assert pack(made.state) == before
    fed = made.feed(t_us[-1:], values[-1:]).score[-1]
    assert asked == (None if np.isnan(fed) else pytest.approx(fed, abs=1e-12))


def test_a_snapshot_goes_on_with_the_same_scores(name: str) -> None:
    t_us, values = rows()
    made = detector(name)
    made.feed(t_us[:270], values[:270])
    state = unpack(msgspec.msgpack.decode(msgspec.msgpack.encode(pack(made.state))))
    again = WindowDetector(LAYOUT, DETECTORS[name], state)
    assert np.array_equal(
        made.feed(t_us[270:], values[270:]).score, again.feed(t_us[270:], values[270:]).score, equal_nan=True
    )


def test_a_missing_signal_leaves_the_others_judged(name: str) -> None:
    t_us, values = rows(90)
    values[300:, LAYOUT.signals.index("vibration")] = np.nan
    found = detector(name).feed(t_us, values)
    assert np.isfinite(found.score[330:]).any()
    assert not found.parts[330:, LAYOUT.symptoms.index("vibration")].any()


def test_a_signal_that_never_comes_is_left_out(name: str) -> None:
    t_us, values = rows()
    values[:, LAYOUT.signals.index("pressure")] = np.nan
    values[:, LAYOUT.signals.index("ambient")] = np.nan
    assert np.isfinite(detector(name).feed(t_us, values).score).any()


def test_a_constant_signal_is_left_out(name: str) -> None:
    t_us, values = rows()
    values[:, LAYOUT.signals.index("pressure")] = 3.0
    found = detector(name).feed(t_us, values)
    assert np.isfinite(found.score).any()
    assert not found.parts[:, LAYOUT.symptoms.index("pressure")].any()


def test_the_parts_sum_to_the_score(name: str) -> None:
    found = detector(name).feed(*rows())
    known = np.isfinite(found.score)
    np.testing.assert_allclose(found.parts[known].sum(1), found.score[known], rtol=1e-12)


def test_a_gap_is_a_gap(name: str) -> None:
    t_us, values = rows(90)
    t_us = t_us.copy()
    t_us[400:] += 50 * HOUR_US
    found = detector(name).feed(t_us, values)
    running = np.flatnonzero(np.isfinite(found.score[400:]))
    assert running[0] >= LAYOUT.settings.window_samples - 1


def test_what_stands_still_or_starts_is_not_scored(name: str) -> None:
    t_us, values = rows(90)
    speed = values[:, LAYOUT.signals.index("speed")]
    found = detector(name).feed(t_us, values)
    assert np.isnan(found.score[speed == 0]).all()
    starts = np.flatnonzero((speed[1:] > 0) & (speed[:-1] == 0)) + 1
    assert all(np.isnan(found.score[start : start + 3]).all() for start in starts)


def test_an_unknown_speed_is_outside_the_regimes_and_no_alarm(name: str) -> None:
    t_us, values = rows(90)
    values[400:420, LAYOUT.signals.index("speed")] = 2200.0
    found = detector(name).feed(t_us, values)
    assert np.isnan(found.score[400:420]).all()


def test_models_choose_their_detector() -> None:
    assert set(DETECTORS) == {"mahalanobis", "fleet-index"}
    assert isinstance(MODEL, AssetModel)
