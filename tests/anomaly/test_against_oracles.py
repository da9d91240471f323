"""The clever versions agree with the slow ones, and with statsmodels."""

import numpy as np
import pytest

from anomaly.domain.baseline import distance, window_means
from anomaly.domain.baseline_fit import fit
from anomaly.domain.detector import WindowDetector, detector_of
from anomaly.domain.layout import layout_of, median_of
from anomaly.domain.passage import TAUS, first_passage
from anomaly.domain.trend import local_linear_trend
from tests.anomaly.machines import MODEL, SIGNALS, life
from tests.oracles.anomaly import passage_by_sampling, squared_distance, window_mean


def test_window_means_are_means_over_the_window() -> None:
    rng = np.random.default_rng(3)
    z = rng.normal(size=(60, 2))
    z[rng.random((60, 2)) < 0.3] = np.nan
    found = window_means(z, np.zeros(60, dtype=np.int64), 7)
    expected = [[window_mean(z[:, j].tolist(), i, 7) for j in range(2)] for i in range(60)]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_the_distance_is_the_mahalanobis_distance() -> None:
    layout = layout_of(MODEL)
    made: WindowDetector = detector_of(layout)
    t_us, values = life(60)
    made.feed(t_us, layout.arrange(SIGNALS, values))
    base = made.baseline
    assert base is not None
    means = np.random.default_rng(1).normal(size=(5, 3))
    found, _ = distance(means, base)
    expected = [squared_distance(m.tolist(), base.covariance.tolist()) / base.limit for m in means]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_healthy_scores_lie_below_one_in_about_99_of_100_rows() -> None:
    layout = layout_of(MODEL)
    made = detector_of(layout)
    t_us, values = life(1000, seed=7)
    scores = made.feed(t_us, layout.arrange(SIGNALS, values)).score
    known = scores[np.isfinite(scores)]
    assert (known > MODEL.detection.threshold).mean() < 0.02


def test_rows_without_a_value_have_no_median() -> None:
    x = np.array([[1.0, np.nan, 3.0], [np.nan, np.nan, np.nan], [5.0, 1.0, 2.0], [1.0, 2.0, np.nan]])
    np.testing.assert_array_equal(median_of(x), [2.0, np.nan, 2.0, 1.5])


@pytest.mark.parametrize(("tau", "noise", "left"), [(20.0, 0.1, 30.0), (60.0, 0.3, 50.0), (40.0, 0.05, 10.0)])
def test_first_passage_agrees_with_sampling(tau: float, noise: float, left: float) -> None:
    rng = np.random.default_rng(5)
    x = -np.arange(80.0)[::-1]
    y = 3.0 * np.exp((x - left) / tau) + rng.normal(0, noise, 80)
    found = first_passage(x, y, noise**2, 3.0, 0.2, 10.0, 400.0)
    grid = np.geomspace(10.0, 400.0, TAUS).tolist()
    drawn = sorted(passage_by_sampling(x.tolist(), y.tolist(), noise**2, 3.0, 0.2, grid, 20_000, 11))
    for q in (0.05, 0.25, 0.5, 0.75, 0.95):
        expected = min(drawn[round(q * len(drawn))], found.hours[-1])
        assert found.quantile(q) == pytest.approx(expected, rel=0.08, abs=0.6)


def test_the_trend_is_that_of_statsmodels() -> None:
    from statsmodels.tsa.statespace.structural import UnobservedComponents

    rng = np.random.default_rng(2)
    y = 0.02 * np.arange(60) + rng.normal(0, 0.3, 60)
    noise = 0.09
    model = UnobservedComponents(y, "lltrend")
    model.ssm.initialize_approximate_diffuse(1e6 * noise)
    filtered = model.filter([noise, 0.0, 1e-4 * noise])
    found = local_linear_trend(y, noise)
    assert found is not None
    assert found.level == pytest.approx(filtered.filtered_state[0, -1], rel=1e-6)
    assert found.slope == pytest.approx(filtered.filtered_state[1, -1], rel=1e-6)
    assert found.slope_error == pytest.approx(float(np.sqrt(filtered.filtered_state_cov[1, 1, -1])), rel=1e-6)


def test_the_regression_finds_what_the_conditions_explain() -> None:
    layout = layout_of(MODEL)
    made = detector_of(layout)
    t_us, values = life(30)
    made.feed(t_us, layout.arrange(SIGNALS, values))
    training = made.training()
    base = fit(training, layout)
    plain = np.median(base.plain_scale[:, layout.symptoms.index("temperature")])
    assert np.median(base.scale[:, layout.symptoms.index("temperature")]) < 0.5 * plain
