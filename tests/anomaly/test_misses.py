"""The miss report: what could have been seen of a breakdown that nothing had called for."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from anomaly.domain.missed import SCORE, Hours, look_back
from anomaly.queries.misses import MissReport, MissReports, misses
from contracts.records import Finding
from plumbing.runtime import Shared
from plumbing.sql import from_us
from plumbing.system_clock import SystemClock
from plumbing.tenants import TenantClocks
from tests.anomaly.bench import Bench
from tests.anomaly.machines import HOUR_US, MODEL, START_US, Values, life

HOURS = 900.0
BREAKS_AT = from_us(START_US) + timedelta(hours=HOURS)


def shared_of(bench: Bench, folder: Path) -> Shared:
    system = SystemClock()
    return Shared(
        folder, bench.database, system, TenantClocks(bench.database, system), bench.store, {MODEL.name: MODEL}.get
    )


def breakdown(folder: Path, values: Values, t_us: np.ndarray, replaced: bool = False) -> MissReport:
    """A machine that lived so, broke down at the end of it, and its report."""
    bench = Bench(folder)
    bench.store.rows["pump"] = (t_us, values)
    for at in range(0, len(t_us), 1800):
        bench.put("pump", t_us[at : at + 1800], values[at : at + 1800], first=at + 1, boot="0123abcd", history=True)
        bench.monotonic += 2.0
        bench.run()
    bench.tell(Finding(1, "F-1", "acme", "pump", "bearing", "C-1", "", "missed", "wear", "", replaced, BREAKS_AT,
                       asset="P-101"))  # fmt: skip
    bench.run()
    (miss,) = misses(bench.database, "acme", asset="P-101")
    assert (miss.device, miss.component, miss.mode, miss.at) == ("pump", "bearing", "wear", BREAKS_AT)
    reports = MissReports(shared_of(bench, folder))
    found = reports.track("acme", "F-1")
    assert found is not None
    assert reports.track("acme", "F-1") is found
    assert reports.track("other", "F-1") is None
    return found.report


def test_slow_wear_below_the_threshold_could_have_been_seen_also_after_the_repair(tmp_path: Path) -> None:
    t_us, values = life(HOURS)
    hours = (t_us - START_US) / HOUR_US
    wear = np.where(values[:, 0] > 0, np.clip((hours - 750) / 150, 0, 1) * 0.3, 0.0)
    values[:, 2] += wear
    report = breakdown(tmp_path, values, t_us, replaced=True)
    assert report.visible, report.sentence
    assert report.since is not None
    assert from_us(START_US) + timedelta(hours=750) <= report.since < BREAKS_AT
    assert report.hours_before == pytest.approx((BREAKS_AT - report.since) / timedelta(hours=1))
    strongest = next(d for d in report.detectors if d.kind == "alone")
    assert strongest.name == "vibration"
    assert "Vibration by itself" in [d.title for d in report.detectors if d.since]


def test_a_sudden_breakdown_is_not_visible(tmp_path: Path) -> None:
    t_us, values = life(HOURS)
    report = breakdown(tmp_path, values, t_us)
    assert report.visible is False
    assert report.since is None
    assert report.sentence.startswith("Not visible in these signals")
    assert report.nearest is not None
    assert 0 < report.nearest.nearest < 1


def test_of_a_machine_that_was_never_learned_nothing_can_be_said(tmp_path: Path) -> None:
    t_us, values = life(10)
    report = breakdown(tmp_path, values, t_us)
    assert report.visible is None
    assert "No baseline" in report.sentence


def hours(level: np.ndarray) -> list[Hours]:
    return [Hours(SCORE, "", level, level)]


def test_noise_alone_stands_out_in_few_of_many_months() -> None:
    rng = np.random.default_rng(5)
    found = 0
    for _ in range(200):
        noise = np.convolve(rng.normal(size=730), np.ones(6) / 6, "valid")[:720] ** 2
        found += look_back(hours(0.4 * noise / noise.max()), 2.0)[0].since is not None
    assert found <= 4


def test_a_rise_that_falls_back_again_was_not_the_breakdown() -> None:
    level = np.full(720, 0.1)
    level[500:560] = 0.8
    (one,) = look_back(hours(level), 2.0)
    assert one.since is None
    assert one.nearest == pytest.approx(0.8)


def test_too_few_hours_say_nothing() -> None:
    assert look_back(hours(np.full(40, 0.1)), 2.0) == []
