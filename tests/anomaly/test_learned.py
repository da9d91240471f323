"""Learned models: trained in a process of their own, tried beside the live one, promoted when better, rolled back."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anomaly.domain.learned_states import TRANSITIONS, IllegalMove, LearnedAction, LearnedState, step
from anomaly.service import tables as t
from anomaly.training.asking import DONE, FAILED, ask, due, training, trainings
from anomaly.training.comparing import compare
from anomaly.training.files import BadModel
from anomaly.training.learning import Learning
from anomaly.training.lives import ends_of, gather, hash_of, lives_of, steps_of
from anomaly.training.registry import (
    Learned,
    NoSuchModel,
    NothingBefore,
    card_of,
    enter,
    folder_of,
    learned,
    life_of,
    move,
    moves,
    one,
    rollback,
)
from anomaly.training.serving import Serving, Speaking
from anomaly.training.train import CannotTrain, _fitted, train
from anomaly.training.watched import watch
from contracts.points import Readings, StoreUnreachable
from contracts.records import Finding
from plumbing.runtime import Shared
from plumbing.sql import Database, from_us
from plumbing.system_clock import SystemClock
from plumbing.tenants import TenantClocks
from tests.anomaly.bench import WALL, Bench, MemoryStore
from tests.anomaly.machines import HOUR_US, MODEL, START_US, life

FLEET = 8
DAY = timedelta(days=1)
"""Machines; their bearings fail after 150 to 220 hours."""


def fails_at(n: int) -> float:
    return 150.0 + 10.0 * n


def fleet(folder: Path, count: int = FLEET) -> tuple[Bench, Shared]:
    """Machines that have failed, with a label each; the last third lives on after a repair."""
    bench, system = Bench(folder), SystemClock()
    states = []
    for n in range(count):
        device, end = f"pump-{n}", fails_at(n)
        t_us, values = life(end, seed=n, fails_at=end, folding=40.0)
        bench.store.rows[device] = (t_us, values)
        bench.tell(
            Finding(1, f"F-{n}", "acme", device, "bearing", f"C-{n}", "", "true", "wear", "", True,
                    from_us(START_US) + timedelta(hours=end))
        )  # fmt: skip
        picture = json.dumps({"newest_us": int(t_us[-1])})
        states.append({"tenant": "acme", "device": device, "model": MODEL.name, "memory": b"", "picture": picture})
    with bench.database.write() as connection:
        connection.execute(t.states.insert(), states)
    findings(bench)
    shared = Shared(
        folder, bench.database, system, TenantClocks(bench.database, system), bench.store, {MODEL.name: MODEL}.get
    )
    return bench, shared


def findings(bench: Bench) -> None:
    """Take findings as the service does, without machines."""
    from anomaly.adapters.sql import SqlTables
    from anomaly.service.labelling import label_of
    from anomaly.service.port import Results

    tables = SqlTables(bench.database, SystemClock())
    tables.register()
    while heard := tables.findings(100):
        results = Results(labels=[label_of(f) for _, f in heard if isinstance(f, Finding)])
        turn = tables.load().turn
        tables.write(results, turn=turn, blocks_from=0, blocks_to=0, findings_to=heard[-1][0], saved=None)


def quiet(_words: str) -> None: ...


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bench, Shared, Learned]:
    """A fleet with a model that was learned from it, by a process of its own."""
    bench, shared = fleet(tmp_path_factory.mktemp("fleet"))
    said: list[str] = []
    made = train(shared, "acme", MODEL, "eva", said.append)
    assert any("fold" in words for words in said)
    return bench, shared, made


def test_every_move_that_the_table_lacks_is_refused() -> None:
    for state, action in product(LearnedState, LearnedAction):
        if (state, action) in TRANSITIONS:
            assert step(state, action) is TRANSITIONS[state, action]
        else:
            with pytest.raises(IllegalMove):
                step(state, action)


def test_lives_end_with_what_was_found_and_the_last_goes_on(tmp_path: Path) -> None:
    bench, _ = fleet(tmp_path, 1)
    end = from_us(START_US) + timedelta(hours=60)
    bench.tell(Finding(1, "F-x", "acme", "pump-0", "filter", "C-x", "", "false", "clogged", "", True, end))
    bench.tell(Finding(1, "F-y", "acme", "pump-0", "filter", "C-y", "", "false", "clogged", "", False, end + DAY))
    findings(bench)
    steps = steps_of(bench.store, "acme", "pump-0", MODEL, None, START_US + round(150 * HOUR_US))
    lives = lives_of("pump-0", steps, ends_of(bench.database, "acme", "pump-0"))
    assert [(x.name, x.failed) for x in lives] == [("pump-0/1", False), ("pump-0/2", True)]
    assert len(steps.hours) == pytest.approx(150 * 20 / 24, abs=6)  # it runs 20 hours of each day
    assert np.all(np.diff(steps.hours) >= 1 - 1e-9)
    assert hash_of(lives) == hash_of(lives)
    assert hash_of(lives) != hash_of(lives[:1])


def test_steps_are_the_same_however_the_store_is_asked(tmp_path: Path) -> None:
    bench, _ = fleet(tmp_path, 1)
    whole = steps_of(bench.store, "acme", "pump-0", MODEL, None, START_US + 100 * HOUR_US)
    cut = START_US + 37 * HOUR_US
    parts = [
        steps_of(bench.store, "acme", "pump-0", MODEL, None, cut),
        steps_of(bench.store, "acme", "pump-0", MODEL, cut, START_US + 100 * HOUR_US),
    ]
    assert np.array_equal(np.concatenate([p.hours for p in parts]), whole.hours)
    assert np.array_equal(np.concatenate([p.readings for p in parts]), whole.readings, equal_nan=True)


def test_a_model_that_errs_less_than_one_number_becomes_a_shadow(trained: tuple[Bench, Shared, Learned]) -> None:
    bench, shared, made = trained
    assert made.state is LearnedState.SHADOW
    assert (made.id, made.lives, made.failures) == (f"{MODEL.name}-1", FLEET, FLEET)
    assert made.metrics["rmse_hours"] is not None
    assert made.metrics["rmse_of_a_constant_hours"] is not None
    assert made.metrics["rmse_hours"] < made.metrics["rmse_of_a_constant_hours"]
    assert [m.action for m in moves(bench.database, "acme", made.id)] == ["train", "try"]
    assert made.data_sha256 == hash_of(gather(bench.database, bench.store, "acme", MODEL, quiet))
    page = card_of(shared.home, "acme", made)
    assert all(words in page for words in (made.sha256, made.data_sha256, "<svg", "vibration"))
    assert "http" not in page.replace("http-equiv", "")


def test_altered_files_are_refused(trained: tuple[Bench, Shared, Learned]) -> None:
    _, shared, made = trained
    folder = folder_of(shared.home, "acme", made.id)
    assert life_of(shared.home, "acme", made).signals
    for name in ("model/arrays.npz", "model/manifest.json", "card.html"):
        path = folder / name
        good = path.read_bytes()
        path.write_bytes(good[:-3] + bytes([good[-3] ^ 1]) + good[-2:])
        with pytest.raises(BadModel):
            card_of(shared.home, "acme", made) if name == "card.html" else life_of(shared.home, "acme", made)
        path.write_bytes(good)
    assert not list(folder.rglob("*.pkl"))


class Faltering(MemoryStore):
    """A store that does not answer once, when one of its devices was read so many times."""

    def __init__(self, behind: MemoryStore, device: str, after: int) -> None:
        super().__init__()
        self.rows, self._device, self._left = behind.rows, device, after

    def read(self, tenant: str, device: str, **wanted: Any) -> Readings:
        self._left -= device == self._device
        if self._left == 0:
            self._left = -1
            raise StoreUnreachable("no answer")
        return super().read(tenant, device, **wanted)


def test_a_training_that_the_store_breaks_off_is_ended(tmp_path: Path) -> None:
    bench, shared = fleet(tmp_path, 6)
    asked = ask(bench.database, "acme", MODEL.name, "eva", WALL)
    Learning(replace(shared, store=Faltering(bench.store, "pump-1", after=1)), 0.0).round()
    ended = training(bench.database, "acme", asked.id)
    assert ended is not None
    assert (ended.state, "the telemetry store did not answer" in ended.text) == (FAILED, True)
    assert ask(bench.database, "acme", MODEL.name, "eva", WALL).id != asked.id


def test_a_shadow_speaks_by_the_way_and_nobody_acts_on_it(trained: tuple[Bench, Shared, Learned]) -> None:
    bench, shared, made = trained
    newest = START_US + round(fails_at(3) * HOUR_US) - HOUR_US
    with bench.database.write() as connection:
        connection.execute(
            t.learned.update().where(t.learned.c.id == made.id).values(trained_at=from_us(newest) - timedelta(hours=60))
        )
    speaking = Speaking(replace(shared, store=Faltering(bench.store, "pump-3", after=5)))
    with pytest.raises(StoreUnreachable):
        speaking.round()
    assert speaking.round() > 0
    with bench.database.read() as connection:
        rows = connection.execute(t.said.select().where(t.said.c.device == "pump-3").order_by(t.said.c.at)).all()
    assert 8 <= len(rows) <= 11
    assert rows[-1].p_7d > rows[0].p_7d or rows[0].p_7d > 0.9
    assert rows[-1].p50 < rows[0].p50
    assert all(r.p05 <= r.p50 <= r.p95 for r in rows)
    assert Speaking(shared).round() == 0  # another process goes on where this one was
    assert Serving(shared).prognose("acme", MODEL, "pump-3", newest) is None
    move(bench.database, "acme", made.id, LearnedAction.PROMOTE, WALL, "eva", "for the test")
    found = Serving(shared).prognose("acme", MODEL, "pump-3", newest)
    assert found is not None
    assert found[0] == made.id
    assert found[1].life is not None
    rollback(bench.database, "acme", MODEL.name, WALL + DAY, "eva")
    assert Serving(shared).prognose("acme", MODEL, "pump-3", newest) is None


def test_too_few_failures_are_said_and_nothing_is_kept(tmp_path: Path) -> None:
    bench, shared = fleet(tmp_path, 2)
    with pytest.raises(CannotTrain, match="2 failures on record, at least 5"):
        train(shared, "acme", MODEL, "eva", quiet)
    assert learned(bench.database, "acme") == []
    assert [p.name for p in (tmp_path / "learned" / "acme").iterdir()] == []
    asked = ask(bench.database, "acme", MODEL.name, "eva", WALL)
    assert ask(bench.database, "acme", MODEL.name, "max", WALL).id == asked.id
    Learning(shared, 0.0).round()
    ended = training(bench.database, "acme", asked.id)
    assert ended is not None
    assert ended.state == FAILED
    assert "at least 5" in ended.text
    assert ask(bench.database, "acme", MODEL.name, "eva", WALL).id != asked.id
    assert DONE not in {x.state for x in trainings(bench.database, "acme")}


def test_a_training_is_due_when_failures_are_new_and_the_last_one_is_old(tmp_path: Path) -> None:
    bench, _ = fleet(tmp_path, 6)
    now = WALL + 100 * DAY
    assert due(bench.database, "acme", now, 7) == [MODEL.name]
    assert due(bench.database, "acme", now, 0) == []
    assert due(bench.database, "other", now, 7) == []
    ask(bench.database, "acme", MODEL.name, "eva", now)
    assert due(bench.database, "acme", now + 30 * DAY, 7) == []
    bench.tell(Finding(1, "F-n", "acme", "pump-0", "bearing", "C-n", "", "missed", "wear", "", True, now + DAY))
    findings(bench)
    assert due(bench.database, "acme", now + 2 * DAY, 7) == []
    assert due(bench.database, "acme", now + 8 * DAY, 7) == [MODEL.name]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Empty tables on both databases."""
    from plumbing import migrate

    url = f"sqlite:///{tmp_path}/x.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    made = Database(url)
    migrate.upgrade(made, ["plumbing", "anomaly"])
    yield made
    made.close()


def put(database: Database, *ids: str) -> None:
    for n, id in enumerate(ids):
        facts = {"asset_model": "pump", "sha256": id, "card_sha256": id, "data_sha256": id, "lives": 9, "failures": 9,
                 "metrics": {}}  # fmt: skip
        enter(database, "acme", id, facts, "1", WALL + n * DAY, "eva")
        move(database, "acme", id, LearnedAction.TRY, WALL + n * DAY, "eva", "good")


def state(database: Database, id: str) -> str:
    return str(one(database, "acme", id).state)


def test_one_is_live_and_one_command_brings_back_the_one_before(database: Database) -> None:
    put(database, "a", "b", "c")
    with pytest.raises(NothingBefore):
        rollback(database, "acme", "pump", WALL, "eva")
    for n, id in enumerate(("a", "b", "c")):
        move(database, "acme", id, LearnedAction.PROMOTE, WALL + (10 + n) * DAY, "eva", "better")
    assert [state(database, x) for x in "abc"] == ["retired", "retired", "live"]
    assert rollback(database, "acme", "pump", WALL + 20 * DAY, "eva") == ("c", "b")
    assert [state(database, x) for x in "abc"] == ["retired", "live", "retired"]
    assert rollback(database, "acme", "pump", WALL + 21 * DAY, "eva") == ("b", "a")
    assert rollback(database, "acme", "pump", WALL + 22 * DAY, "eva") == ("a", None)
    assert [state(database, x) for x in "abc"] == ["retired"] * 3
    with pytest.raises(IllegalMove):
        move(database, "acme", "a", LearnedAction.PROMOTE, WALL, "eva", "")
    with pytest.raises(NoSuchModel):
        one(database, "acme", "d")


def knows(left: float) -> tuple[float, ...]:
    """The chances of one who knows how many hours are left."""
    return tuple(0.9 if left <= h else 0.05 for h in (24, 168, 720))


def said(database: Database, id: str, device: str, hours: float, p: tuple[float, ...]) -> None:
    with database.write() as connection:
        connection.execute(
            t.said.insert().values(
                tenant="acme", learned=id, device=device, at=WALL + timedelta(hours=hours), p_24h=p[0], p_7d=p[1],
                p_30d=p[2], p05=1.0, p50=2.0, p95=3.0,
            )
        )  # fmt: skip


def failed(database: Database, device: str, hours: float) -> None:
    at = WALL + timedelta(hours=hours)
    with database.write() as connection:
        connection.execute(
            t.labels.insert().values(
                tenant="acme", device=device, finding_id=f"F-{device}", case_id=f"C-{device}", asset=device,
                component="bearing", mode="wear", verdict="true", from_at=at, to_at=at, as_found="", replaced=True,
                serial="",
            )
        )  # fmt: skip


@pytest.mark.parametrize(("shadow_knows", "failures", "better"), [(True, 4, True), (False, 4, False), (True, 2, False)])
def test_a_shadow_is_promoted_only_if_it_was_better_since(
    tmp_path: Path, shadow_knows: bool, failures: int, better: bool
) -> None:
    bench = Bench(tmp_path)
    put(bench.database, "a", "b")
    move(bench.database, "acme", "a", LearnedAction.PROMOTE, WALL, "eva", "first")
    for n in range(6):
        device = f"p{n}"
        if n < failures:
            failed(bench.database, device, 1000)
        for hours in range(0, 960, 60):
            left = 1000 - hours if n < failures else 1e9
            said(bench.database, "b", device, hours, knows(left) if shadow_knows else (0.5, 0.5, 0.5))
            said(bench.database, "a", device, hours, (0.35, 0.35, 0.35))
    a, b = one(bench.database, "acme", "a"), one(bench.database, "acme", "b")
    found = compare(bench.database, "acme", b, a, WALL + timedelta(days=120))
    assert found.better is better, found.words
    assert found.failures == failures
    assert ("needed to say" in found.words) is (failures < 3)
    assert found.against == "a"
    since = watch(bench.database, "acme", b, WALL + timedelta(days=120))
    assert (since.said, since.failures) == (96, failures)
    assert since.bias_hours is not None
    assert since.bias_hours < 0  # it says 2 hours all the time
    assert since.brier_7d is not None
    assert (since.brier_7d < 0.05) is shadow_knows


def test_without_a_live_model_the_degradation_path_is_what_it_is_held_against(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    put(bench.database, "b")
    for n in range(4):
        failed(bench.database, f"p{n}", 700)
        for hours in range(0, 660, 60):
            said(bench.database, "b", f"p{n}", hours, knows(700 - hours))
    found = compare(bench.database, "acme", one(bench.database, "acme", "b"), None, WALL + timedelta(days=120))
    assert found.against == "degradation path"
    assert found.better


def test_a_child_that_warns_much_and_dies_is_told_of_by_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loud = tmp_path / "python"
    loud.write_text(
        "#!/bin/sh\nhead -c 300000 /dev/zero | tr '\\0' 'w' >&2\necho >&2\necho 'out of memory' >&2\nexit 3\n"
    )
    loud.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(loud))
    with pytest.raises(CannotTrain, match="ended with 3: out of memory"):
        _fitted(tmp_path, quiet, lambda _child: None)
