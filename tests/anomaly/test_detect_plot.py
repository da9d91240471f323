"""The plot of `forewarn detect` in a real browser: one file, nothing from outside, at any width."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from anomaly.adapters.detect import detect, summary
from anomaly.adapters.detect_plot import Assets, page
from anomaly.adapters.table import Table

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser
VENDOR = Path(__file__).parents[2] / "api" / "static" / "vendor"


@pytest.fixture(scope="module")
def plot(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Address of a plot with two alarms, written with the library that the build made."""
    values = np.random.default_rng(2).normal(size=(20_000, 8))
    values[9_000:10_000, 3] += 4.0
    values[15_000:15_400, 6] -= 5.0
    t_us = 1_772_323_200_000_000 + 60_000_000 * np.arange(len(values), dtype=np.int64)
    names = tuple(f"signal {j}" for j in range(8))
    result = detect(Table("pump.csv", [str(t) for t in t_us.tolist()], t_us, names, values, ()), 1_000)
    assets = Assets((VENDOR / "uplot.js").read_text(), (VENDOR / "uplot.css").read_text())
    path = tmp_path_factory.mktemp("plot") / "plot.html"
    path.write_text(page(result, summary(result), assets))
    return path.as_uri()


def shown(at: "Page") -> tuple[float, float]:
    low, high = at.evaluate("range")
    return float(low), float(high)


@pytest.mark.parametrize("width", [390, 1280])
def test_the_plot_fits_every_width_and_asks_for_nothing(page: "Page", plot: str, width: int) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(plot)
    assert page.locator("#score canvas").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert asked == [plot]
    assert page.locator("#alarms button").count() == 2
    smallest = page.evaluate("Math.min(...[...document.querySelectorAll('button')].filter(b => b.offsetHeight)"
                             ".map(b => b.offsetHeight))")  # fmt: skip
    assert smallest >= 40


def test_dragging_zooms_all_charts_and_a_double_click_shows_everything_again(page: "Page", plot: str) -> None:
    page.goto(plot)
    everything = shown(page)
    box = page.locator("#score .u-over").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 50, steps=4)
    page.mouse.up()
    low, high = shown(page)
    length = everything[1] - everything[0]
    assert (high - low) == pytest.approx(0.2 * length, rel=0.05)
    assert page.evaluate("charts.every(c => c.u.scales.x.min === range[0] && c.u.scales.x.max === range[1])")
    page.mouse.dblclick(box["x"] + 50, box["y"] + 40)
    assert shown(page) == everything


def test_choosing_an_alarm_goes_there_and_brings_its_signals_to_the_top(page: "Page", plot: str) -> None:
    page.goto(plot)
    page.locator("#alarms button").nth(1).click()
    low, high = shown(page)
    begin, end = page.evaluate("D.spans[1]")
    assert low < begin < end < high
    assert page.locator("#traces h3").first.inner_text().startswith("signal 6")
    page.locator("#next").click()
    assert page.locator("#traces h3").first.inner_text().startswith("signal 3")
    page.locator("#all").click()
    assert page.locator("#all").is_disabled()
    page.locator("#more").click()
    assert page.locator("#traces canvas").count() == 8
