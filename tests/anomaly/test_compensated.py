"""What is usual for a machine follows its load and the weather of the time."""

from pathlib import Path

import numpy as np
import pytest

from anomaly.queries.compensated import Usual, deviations, usual
from plumbing.runtime import Shared
from plumbing.system_clock import SystemClock
from plumbing.tenants import TenantClocks
from tests.anomaly.bench import Bench
from tests.anomaly.machines import HOUR_US, MODEL, START_US, life

FAILS_AT, HOURS, BUCKETS = 400.0, 320.0, 5000
SPEED, VIBRATION = 0, 2


@pytest.fixture
def shared(tmp_path: Path) -> Shared:
    """A machine that learned for 120 hours, and whose bearing wears towards the end."""
    bench, system = Bench(tmp_path), SystemClock()
    t_us, values = life(HOURS, fails_at=FAILS_AT)
    bench.store.rows["pump"] = (t_us, values)
    for at in range(0, len(t_us), 60):
        bench.put("pump", t_us[at : at + 60], values[at : at + 60], first=at + 1, boot="0123abcd")
        bench.monotonic += 2.0
        bench.run()
    return Shared(
        tmp_path, bench.database, system, TenantClocks(bench.database, system), bench.store, {MODEL.name: MODEL}.get
    )


def seen(shared: Shared) -> Usual:
    found = usual(shared, "acme", "pump", "vibration", START_US, START_US + round(HOURS * HOUR_US), BUCKETS)
    assert found is not None
    assert len(found.t_us) > 500
    return found


def test_the_usual_value_is_lower_at_low_speed(shared: Shared) -> None:
    found, (t_us, values) = seen(shared), life(HOURS, fails_at=FAILS_AT)
    speed = values[np.searchsorted(t_us, found.t_us), SPEED]
    slow, fast = found.value[speed < 2000].mean(), found.value[speed > 2000].mean()
    assert fast - slow == pytest.approx(0.0004 * 1450, abs=0.15)


def test_a_healthy_machine_is_as_usual_and_a_worn_one_above_it(shared: Shared) -> None:
    found, (t_us, values) = seen(shared), life(HOURS, fails_at=FAILS_AT)
    above = values[np.searchsorted(t_us, found.t_us), VIBRATION] - found.value
    hours = (found.t_us - START_US) / HOUR_US
    assert abs(above[hours < 200].mean()) < 0.1
    assert above[hours > 310].mean() > 0.05


def test_no_more_values_than_asked_for_and_none_of_what_is_not_known(shared: Shared) -> None:
    end = START_US + round(HOURS * HOUR_US)
    few = usual(shared, "acme", "pump", "vibration", START_US, end, 100)
    assert few is not None
    assert 50 <= len(few.t_us) <= 100
    for device, signal in (("nobody", "vibration"), ("pump", "speed"), ("pump", "colour")):
        assert usual(shared, "acme", device, signal, START_US, end, 100) is None
        assert deviations(shared, "acme", device, signal, START_US, end, 100) is None
