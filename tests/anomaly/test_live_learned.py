"""The live learned model tells the life of an alarm's forecast; without one the degradation path does."""

from pathlib import Path

import pytest

from anomaly.adapters.sql import SqlTables
from anomaly.domain.forecast import Forecast, Life
from anomaly.domain.prognosis import EVENTS, LEARNED, Prognosis, needs
from anomaly.service.learned import by_what_is_on_record
from anomaly.service.rounds import Rounds
from anomaly.service.watching import Watching
from contracts.asset_model import AssetModel
from contracts.records import Prediction
from plumbing.system_clock import SystemClock
from tests.anomaly.bench import FAILS_AT, Bench
from tests.anomaly.machines import MODEL, life

HOURS = (24.0, 168.0, 720.0)
HORIZON = MODEL.decision.horizon_hours


class Says:
    """A live model that says the same of every machine."""

    def __init__(self, said: Prognosis, by_events: Prognosis | None = None) -> None:
        self.said, self.by_events = said, by_events
        self.asked: list[tuple[str, str, int]] = []

    def prognose(self, tenant: str, model: AssetModel, device: str, at_us: int) -> tuple[str, Prognosis] | None:
        self.asked.append((tenant, device, at_us))
        return f"{model.name}-4", self.said

    def events(
        self, tenant: str, model: AssetModel, device: str, component: str, at_us: int
    ) -> tuple[str, Prognosis] | None:
        return None if self.by_events is None else (f"{model.name}-5", self.by_events)


def told(folder: Path, live: Says) -> list[Prediction]:
    bench = Bench(folder)
    bench.rounds = Rounds(
        SqlTables(bench.database, SystemClock()),
        lambda: Watching({MODEL.name: MODEL}.get, bench.clocks, bench.store, live=live), lambda: bench.monotonic,
        1.0, 10,
    )  # fmt: skip
    t_us, values = life(288, fails_at=FAILS_AT)
    for at in range(0, len(t_us), 24):
        bench.put("pump", t_us[at : at + 24], values[at : at + 24], first=at + 1, boot="0123abcd")
        bench.monotonic += 0.3
        bench.run()
    return [r for r in bench.said() if isinstance(r, Prediction)]


def test_a_live_model_tells_the_life(tmp_path: Path) -> None:
    hours = tuple(sorted({*HOURS, HORIZON}))
    mine = Life(11.0, 22.0, 33.0, {"24h": 0.4, "7d": 0.8, "30d": 0.9}, hours, (0.4, 0.7, 0.8, 0.9)[: len(hours)])
    live = Says(Prognosis(LEARNED, mine))
    made = told(tmp_path, live)
    assert made
    assert {m.model_version for m in made} == {f"{MODEL.version}/{MODEL.name}-4"}
    assert {(m.remaining.p05, m.remaining.p50, m.remaining.p95) for m in made if m.remaining} == {(11.0, 22.0, 33.0)}
    assert max(m.health for m in made) <= 100 * (1 - mine.by(HORIZON)) + 1e-9  # it does not contradict the chance
    assert {(tenant, device) for tenant, device, _ in live.asked} == {("acme", "pump")}


@pytest.mark.parametrize("said", [needs(LEARNED, 5.0)])
def test_one_that_knows_too_little_leaves_it_to_the_path(tmp_path: Path, said: Prognosis) -> None:
    made = told(tmp_path, Says(said))
    assert made
    assert {m.model_version for m in made} == {str(MODEL.version)}
    assert any(m.remaining is not None and m.remaining.p50 != 22.0 for m in made)


CHANCES = (0.0, 0.5, 1.0)


@pytest.mark.parametrize("chance", CHANCES)
def test_a_hazard_is_believed_beside_readings_only_where_it_sees_the_failure_nearer(chance: float) -> None:
    path = Life(1.0, 2.0, 3.0, {}, (HORIZON,), (0.5,))
    made = Forecast(0, 0, "bearing", "wear", 0.9, 2.0, 90.0, path, 0, (), "good", 1)
    errors = Life(10.0, 20.0, 30.0, {}, (HORIZON,), (chance,))
    live = Says(needs(LEARNED, 5.0), Prognosis(EVENTS, errors))
    told, name = by_what_is_on_record(live, "acme", MODEL, "pump", made)
    nearer = chance >= 0.5
    assert name == (f"{MODEL.name}-5" if nearer else "")
    assert told.life is (errors if nearer else path)


def test_a_hazard_tells_the_life_where_readings_show_no_trend() -> None:
    made = Forecast(0, 0, "bearing", "wear", 0.9, 2.0, 90.0, None, 0, (), "good", 1)
    errors = Life(10.0, 20.0, 30.0, {}, (HORIZON,), (0.2,))
    live = Says(needs(LEARNED, 5.0), Prognosis(EVENTS, errors))
    told, name = by_what_is_on_record(live, "acme", MODEL, "pump", made)
    assert (told.life, name) == (errors, f"{MODEL.name}-5")
    assert told.health == 80.0
