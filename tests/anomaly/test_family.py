"""What every registered detector promises, whatever it looks for."""

from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from anomaly.domain.detection import StateDetector
from anomaly.domain.family import FAMILY
from anomaly.domain.layout import layout_of
from anomaly.domain.packing import pack, unpack
from tests.anomaly.machines import MODEL, SIGNALS, life

LAYOUT = layout_of(MODEL)
HOURS = 90
Rows = tuple[NDArray[np.int64], NDArray[np.float64]]


@pytest.fixture(params=sorted(FAMILY))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def made(name: str, state: Any = None) -> StateDetector:
    return FAMILY[name].made(MODEL, state)


def rows() -> Rows:
    t_us, values = life(HOURS)
    return t_us, LAYOUT.arrange(SIGNALS, values)


def scores(name: str, t_us: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    return made(name).feed(t_us, values, lambda at, score: False).score


def test_rows_are_not_changed(name: str) -> None:
    t_us, values = rows()
    before = t_us.copy(), values.copy()
    scores(name, t_us, values)
    assert np.array_equal(before[0], t_us)
    assert np.array_equal(before[1], values, equal_nan=True)


def test_the_order_of_signals_does_not_matter(name: str) -> None:
    t_us, values = life(HOURS)
    turned = list(reversed(range(len(SIGNALS))))
    other = LAYOUT.arrange([SIGNALS[j] for j in turned], values[:, turned])
    assert np.array_equal(scores(name, *rows()), scores(name, t_us, other), equal_nan=True)


def test_the_same_rows_give_the_same_scores_however_they_are_cut(name: str) -> None:
    t_us, values = rows()
    whole, cut = scores(name, t_us, values), made(name)
    pieces = [
        cut.feed(t_us[a : a + 47], values[a : a + 47], lambda at, score: False).score for a in range(0, len(t_us), 47)
    ]
    np.testing.assert_allclose(np.concatenate(pieces), whole, rtol=0, atol=1e-9)
    assert np.isfinite(whole).any()


def test_while_it_warms_up_there_is_no_score(name: str) -> None:
    t_us, values = rows()
    detector = made(name)
    assert detector.score(int(t_us[0]), values[0]) is None
    first = 100 if FAMILY[name].learns else 2
    assert np.isnan(detector.feed(t_us[:first], values[:first]).score).all()


def test_a_snapshot_goes_on_with_the_same_scores(name: str) -> None:
    t_us, values = rows()
    detector = made(name)
    detector.feed(t_us[:400], values[:400], lambda at, score: False)
    state = unpack(msgspec.msgpack.decode(msgspec.msgpack.encode(pack(detector.state))))
    again = made(name, state)
    assert np.array_equal(
        detector.feed(t_us[400:], values[400:]).score, again.feed(t_us[400:], values[400:]).score, equal_nan=True
    )


def test_asking_for_a_score_changes_nothing_and_gives_what_feeding_gives(name: str) -> None:
    t_us, values = rows()
    detector = made(name)
    detector.feed(t_us[:-60], values[:-60], lambda at, score: False)
    before = pack(detector.state)
    asked = detector.score(int(t_us[-60]), values[-60])
    assert pack(detector.state) == before
    fed = detector.feed(t_us[-60:-59], values[-60:-59]).score[-1]
    assert asked == (None if np.isnan(fed) else pytest.approx(fed, abs=1e-12))


@pytest.mark.parametrize("value", [np.nan, 3.0])
def test_a_signal_that_never_comes_or_never_moves_is_left_out(name: str, value: float) -> None:
    t_us, values = rows()
    at = LAYOUT.signals.index("pressure")
    values[:, at] = value
    found = made(name).feed(t_us, values, lambda at, score: False)
    assert np.isfinite(found.score).any()
    if FAMILY[name].learns or np.isnan(value):
        assert not found.parts[:, at].any()


def test_a_signal_that_ends_leaves_the_others_judged(name: str) -> None:
    t_us, values = rows()
    values[400:, LAYOUT.signals.index("pressure")] = np.nan
    found = made(name).feed(t_us, values, lambda at, score: False)
    assert np.isfinite(found.score[430:]).any()
    assert not found.parts[430:, LAYOUT.symptoms.index("pressure")].any()


def test_parts_sum_to_the_score(name: str) -> None:
    found = made(name).feed(*rows(), lambda at, score: False)
    known = np.isfinite(found.score)
    np.testing.assert_allclose(found.parts[known].sum(1), found.score[known], rtol=1e-9, atol=1e-12)


def test_what_stands_still_is_not_scored(name: str) -> None:
    if not FAMILY[name].compares_conditions:
        assert name == "seasonal"
        return
    t_us, values = rows()
    speed = values[:, LAYOUT.signals.index("speed")]
    assert np.isnan(scores(name, t_us, values)[speed == 0]).all()


def test_a_bearing_that_wears_scores_higher_at_the_end(name: str) -> None:
    t_us, values = life(250, fails_at=245.0)
    found = scores(name, t_us, LAYOUT.arrange(SIGNALS, values))
    known = np.isfinite(found)
    end, well = found[1450:][known[1450:]], found[600:1000][known[600:1000]]
    assert np.quantile(end, 0.9) > 2 * np.median(well)


def test_every_member_is_on_the_page_of_detectors(pytestconfig: pytest.Config) -> None:
    page = (pytestconfig.rootpath / "docs" / "detectors.md").read_text(encoding="utf-8")
    assert [name for name in FAMILY if f"`{name}`" not in page] == []
