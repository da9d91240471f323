"""Errors before failures: learned by component, tried, promoted, and told of as predictions without any odd reading."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from anomaly.adapters.sql import SqlTables
from anomaly.domain.error_events import ErrorReader, codes_of
from anomaly.domain.event_alarm import floor_of, likeliest_mode, stands
from anomaly.domain.forecast import Life
from anomaly.domain.hazard import curve
from anomaly.domain.history import HOUR_US
from anomaly.domain.learned_states import Kind, LearnedAction, LearnedState
from anomaly.domain.machines import Arrival, Machines
from anomaly.domain.picture import picture_of
from anomaly.service import tables as t
from anomaly.service.event_records import event_alarm_id
from anomaly.service.hazard_tables import hazard_said
from anomaly.service.port import Results
from anomaly.training.files import BadModel
from anomaly.training.foretelling import FALLEN, IN_READINGS, NOT_LIVE, REPLACED, Foretelling
from anomaly.training.hazard_job import outcome
from anomaly.training.hazard_reading import KEPT_HOURS, HazardReader
from anomaly.training.histories import gather_histories
from anomaly.training.promoting import promote
from anomaly.training.registry import Learned, card_of, check, folder_of, hazard_of, learned, move, one, rollback
from anomaly.training.serving import Serving
from anomaly.training.train import CannotTrain, train_all, train_hazard
from anomaly.training.watched import watch
from contracts.asset_model import Role
from contracts.records import Alarm, Prediction
from plumbing.sql import from_us
from plumbing.system_clock import SystemClock
from tests.anomaly.announced import DAY_US, MODEL, Fleet
from tests.evaluation.fleets import BEGIN_US

LEARNED_DAYS, TRIED_DAYS = 120, 164
NOWHERE = float("nan")


def quiet(_words: str) -> None: ...


def foretelling(fleet: Fleet) -> Foretelling:
    return Foretelling(fleet.shared, SqlTables(fleet.bench.database, SystemClock()).add)


def overtaken(fleet: Fleet) -> Foretelling:
    """One of two processes: the other one does its round whenever this one is about to write what it has found."""
    other, add = foretelling(fleet), SqlTables(fleet.bench.database, SystemClock()).add

    def write(results: Results, still: Callable[[sa.Connection], bool]) -> bool:
        other.round()
        assert not add(results, still)
        return False

    return Foretelling(fleet.shared, write)


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> tuple[Fleet, Learned]:
    """A hazard that was learned from 120 days of a fleet, and spoke as a shadow for 44 days more."""
    fleet = Fleet(tmp_path_factory.mktemp("announced"), 8)
    fleet.go_to(BEGIN_US + LEARNED_DAYS * DAY_US)
    made = train_hazard(fleet.shared, "acme", MODEL, "eva", quiet)
    shadow = foretelling(fleet)
    for day in range(LEARNED_DAYS, TRIED_DAYS + 1, 4):
        fleet.go_to(BEGIN_US + day * DAY_US)
        while shadow.round():
            pass
    return fleet, made


def flags(values: list[float], minutes: float = 10, high: float = 1) -> list[int]:
    """Rows at which an error comes."""
    reader = ErrorReader((high <= 1,))
    at = np.arange(len(values), dtype=np.int64) * round(minutes * HOUR_US / 60)
    return [int(np.searchsorted(at, x)) for x in reader.feed(at, np.array(values)[:, None]).at_us.tolist()]


@pytest.mark.parametrize(
    ("values", "minutes", "high", "came"),
    [
        ([0, 1, 1, 0, 1], 10, 1, [1, 4]),
        ([1, 1, 1], 10, 1, [0]),
        ([0, 1, NOWHERE, 1, 0], 10, 1, [1]),
        ([1, 1, 1], 90, 1, [0, 1, 2]),
        ([5, 5, 7, 8, 0, 0, 1], 10, 99, [2, 3, 6]),
        ([0, 0, 0], 10, 1, []),
        ([NOWHERE, NOWHERE], 10, 1, []),
    ],
    ids=["rises", "up_from_the_start", "a_gap_is_no_fall", "pulses_far_apart", "counter_with_a_reset", "none", "empty"],
)
def test_errors_come_when_a_flag_rises_or_a_counter_goes_up(
    values: list[float], minutes: float, high: float, came: list[int]
) -> None:
    assert flags(values, minutes, high) == came


@given(
    values=st.lists(st.sampled_from([0.0, 1.0, 2.0, NOWHERE]), min_size=1, max_size=30),
    cuts=st.lists(st.integers(0, 30), max_size=4),
    flag=st.booleans(),
)
def test_errors_are_the_same_whatever_the_rows_are_cut_into(values: list[float], cuts: list[int], flag: bool) -> None:
    at = np.arange(len(values), dtype=np.int64) * round(0.4 * HOUR_US)
    x = np.array(values)[:, None]
    whole, parts = ErrorReader((flag,)).feed(at, x), ErrorReader((flag,))
    edges = [0, *sorted(min(c, len(values)) for c in cuts), len(values)]
    found = [parts.feed(at[a:b], x[a:b]).at_us for a, b in pairwise(edges)]
    assert np.concatenate(found).tolist() == whole.at_us.tolist()


@pytest.mark.parametrize(
    ("failed", "ends", "until", "came"),
    [
        ([30], [30], 1000, [0, 1, 1]),
        ([30], [30], 100, [0, NOWHERE, NOWHERE]),
        ([], [30], 1000, [0, NOWHERE, NOWHERE]),
        ([], [], 200, [0, 0, NOWHERE]),
        ([20], [10, 20], 1000, [NOWHERE, NOWHERE, NOWHERE]),
    ],
    ids=["fails", "horizon_not_over", "good_part_replaced", "nothing", "failure_of_the_next_part"],
)
def test_an_outcome_is_known_once_its_horizon_is_over(
    failed: list[int], ends: list[int], until: int, came: list[float]
) -> None:
    hours = [np.array(x, dtype=np.int64) * HOUR_US for x in (failed, ends, [0])]
    found = outcome(hours[0], hours[1], hours[2], until * HOUR_US)[:, 0]
    np.testing.assert_array_equal(found, came)


def test_a_hazard_is_learned_from_errors_and_tried_before_anybody_acts_on_it(tried: tuple[Fleet, Learned]) -> None:
    fleet, made = tried
    assert (made.id, made.kind, made.state) == (f"{MODEL.name}-1", Kind.EVENTS, LearnedState.SHADOW)
    score, constant = made.metrics["brier_7d"], made.metrics["brier_7d_of_a_constant"]
    assert score is not None
    assert constant is not None
    assert score < constant
    assert fleet.bench.said() == []  # a shadow tells nobody
    page = card_of(fleet.shared.home, "acme", made)
    assert all(words in page for words in (made.sha256, made.data_sha256, "<svg", "pump", "E1 9"))
    hazard = hazard_of(fleet.shared.home, "acme", made)
    assert max(line.true.max() for line in hazard.calibrations) < 1


def test_the_product_reads_from_telemetry_what_was_raised(tried: tuple[Fleet, Learned]) -> None:
    """And a live look at a machine, hour by hour, says what its whole record says."""
    fleet, made = tried
    end = BEGIN_US + LEARNED_DAYS * DAY_US
    found = gather_histories(fleet.bench.database, fleet.store, "acme", MODEL, quiet)
    for h, mine in zip(fleet.histories, found, strict=True):
        for events, own in ((h.errors, mine.errors), (h.failed, mine.failed)):
            assert own.until(end).at_us.tolist() == events.until(end).at_us.tolist()
            assert own.until(end).which.tolist() == events.until(end).which.tolist()
    reader, whole = HazardReader(fleet.shared), hazard_of(fleet.shared.home, "acme", made)
    at = end + np.arange(-24, 0, dtype=np.int64) * HOUR_US
    hourly = [reader.say("acme", made, MODEL, "m3", at[[i]]) for i in range(len(at))]
    said = np.concatenate([x.p for x in hourly if x is not None], axis=2)
    np.testing.assert_allclose(said, curve(whole, found[3], at), rtol=1e-9)


def test_a_long_walk_forgets_old_errors_and_says_the_same(tried: tuple[Fleet, Learned]) -> None:
    fleet, made = tried
    walks, last = HazardReader(fleet.shared), np.array([BEGIN_US + TRIED_DAYS * DAY_US], dtype=np.int64)
    for day in range(30, TRIED_DAYS, 10):
        walks.say("acme", made, MODEL, "m3", last - day * DAY_US)
    far, near = (reader.say("acme", made, MODEL, "m3", last) for reader in (walks, HazardReader(fleet.shared)))
    assert far is not None
    assert near is not None
    np.testing.assert_allclose(far.p, near.p, rtol=1e-12)
    kept = walks._errors["acme", made.id, "m3"].events.at_us
    assert len(kept)
    assert kept[0] >= last[0] - KEPT_HOURS * HOUR_US


def test_an_altered_hazard_is_refused(tried: tuple[Fleet, Learned]) -> None:
    fleet, made = tried
    path = folder_of(fleet.shared.home, "acme", made.id) / "model" / "arrays.npz"
    good = path.read_bytes()
    path.write_bytes(good[:-3] + bytes([good[-3] ^ 1]) + good[-2:])
    with pytest.raises(BadModel):
        check(fleet.shared.home, "acme", made)
    with pytest.raises(BadModel):
        promote(fleet.bench.database, fleet.shared.home, "acme", made.id, fleet.bench.clocks.clock.at, "eva")
    path.write_bytes(good)
    assert not list(path.parent.rglob("*.pkl"))


def test_the_promoted_hazard_names_the_component_that_fails(tried: tuple[Fleet, Learned]) -> None:
    """Machine 0's pump fails after 174.5 days, one day after error 1; error 3 two days before means nothing."""
    fleet, made = tried
    held = promote(fleet.bench.database, fleet.shared.home, "acme", made.id, fleet.bench.clocks.clock.at, "eva")
    assert held.better
    assert held.failures >= 3
    live, failure = overtaken(fleet), BEGIN_US + round(174.5 * DAY_US)
    for hours in range(-72, 12, 4):
        fleet.go_to(failure + hours * HOUR_US)
        live.round()
        if hours == -8:
            live = foretelling(fleet)  # a restart changes nothing, nor that the other process ends
    said = [r for r in fleet.bench.said() if r.device == "m0"]
    told = [e.diff["id"] for e in fleet.bench.told() if e.diff["asset"] == "m0" and e.action == "prediction"]
    assert len(told) == len(set(told))
    alarms, made_of = [r for r in said if isinstance(r, Alarm)], [r for r in said if isinstance(r, Prediction)]
    assert [(a.change, a.component) for a in alarms] == [("raised", "pump"), ("cleared", "pump")]
    assert alarms[0].reason.startswith("Pump: Error 1 came")
    assert alarms[1].reason == REPLACED
    assert from_us(failure - 24 * HOUR_US) <= alarms[0].at <= from_us(failure - 20 * HOUR_US)
    assert {(p.component, p.failure_mode, p.alarm_id) for p in made_of} == {("pump", "worn", alarms[0].id)}
    assert {p.model_version for p in made_of} == {f"{MODEL.version}/{made.id}"}
    assert len(made_of) >= MODEL.decision.consecutive
    assert sum(p.pageable for p in made_of) >= MODEL.decision.consecutive
    assert all(p.p_fail is not None and p.p_fail["24h"] > 0.5 for p in made_of)
    assert {c.signal for p in made_of for c in p.carriers} == {"E1"}
    assert len({p.id for p in made_of}) == len(made_of)
    assert all(p.measured_at >= p.alarm_since for p in made_of)
    assert {p.measured_at.minute for p in made_of} == {0}
    texts = [e.diff["text"] for e in fleet.bench.told() if e.diff["asset"] == "m0"]
    assert len([x for x in texts if "expected" in x]) >= 1
    found = Serving(fleet.shared).events("acme", MODEL, "m0", "pump", failure - 12 * HOUR_US)
    assert found is not None
    assert found[0] == made.id
    assert found[1].life is not None
    assert found[1].life.p_fail["24h"] > 0.5
    since = watch(fleet.bench.database, "acme", one(fleet.bench.database, "acme", made.id), from_us(failure))
    assert since.failures >= 3
    assert since.precision is not None
    assert since.precision > 0.5
    assert since.lead_hours_p50 is not None
    assert 0 < since.lead_hours_p50 <= 24 * 7


def test_alarms_of_errors_end_with_those_of_readings_and_with_the_hazard(tried: tuple[Fleet, Learned]) -> None:
    fleet, made = tried
    if one(fleet.bench.database, "acme", made.id).state is LearnedState.SHADOW:
        move(fleet.bench.database, "acme", made.id, LearnedAction.PROMOTE, fleet.bench.clocks.clock.at, "eva", "test")
    live, failure = foretelling(fleet), BEGIN_US + round(179.5 * DAY_US)
    fleet.go_to(failure - 20 * HOUR_US)
    long_ago = hazard_said.insert().values(
        tenant="acme", learned=made.id, device="m4", component="pump", at=from_us(BEGIN_US - 400 * DAY_US), p_24h=0.1,
        p_7d=0.1, p_30d=0.1,
    )  # fmt: skip
    with fleet.bench.database.write() as connection:
        connection.execute(long_ago)
    live.round()
    with fleet.bench.database.read() as connection:
        oldest = connection.execute(sa.select(sa.func.min(hazard_said.c.at))).scalar_one()
    assert oldest >= from_us(BEGIN_US)  # it did not stay for ever
    readings = {"tenant": "acme", "id": "m4@x", "device": "m4", "component": "pump", "raised_at": from_us(failure),
                "cleared_at": None, "reason": "", "score": 2.0, "history": False, "carriers": "[]"}  # fmt: skip
    with fleet.bench.database.write() as connection:
        connection.execute(t.alarms.insert().values(**readings))
    fleet.go_to(failure - 18 * HOUR_US)
    live.round()
    with fleet.bench.database.write() as connection:
        connection.execute(t.alarms.delete().where(t.alarms.c.id == "m4@x"))
    fleet.go_to(failure - 16 * HOUR_US)
    live.round()
    path = folder_of(fleet.shared.home, "acme", made.id) / "model" / "arrays.npz"
    good = path.read_bytes()
    path.write_bytes(good[:-3])
    foretelling(fleet).round()  # another process finds its files altered
    path.write_bytes(good)
    rollback(fleet.bench.database, "acme", MODEL.name, fleet.bench.clocks.clock.at, "eva")
    live.round()
    mine = [r for r in fleet.bench.said() if r.device == "m4" and isinstance(r, Alarm)]
    assert [(a.change, a.reason) for a in mine if a.change == "cleared"] == [
        ("cleared", IN_READINGS),
        ("cleared", NOT_LIVE),
    ]
    assert len({a.id for a in mine}) == 2
    assert Serving(fleet.shared).events("acme", MODEL, "m4", "pump", failure) is None


def test_an_alarm_of_a_component_that_no_hazard_tells_of_ends(tried: tuple[Fleet, Learned]) -> None:
    """A part that the asset model has not any more, say, or one whose failures were found to be none."""
    fleet, _ = tried
    row = {"tenant": "acme", "id": event_alarm_id("m5", BEGIN_US, "belt"), "device": "m5", "component": "belt",
           "raised_at": from_us(BEGIN_US), "cleared_at": None, "reason": "", "score": 2.0, "history": False,
           "carriers": "[]"}  # fmt: skip
    with fleet.bench.database.write() as connection:
        connection.execute(t.alarms.insert().values(**row))
    foretelling(fleet).round()
    ended = [r for r in fleet.bench.said() if isinstance(r, Alarm) and r.component == "belt"]
    assert [(a.change, a.reason) for a in ended] == [("cleared", NOT_LIVE)]
    foretelling(fleet).round()
    assert len([r for r in fleet.bench.said() if isinstance(r, Alarm) and r.component == "belt"]) == 1


def test_a_fleet_without_failures_gets_no_hazard(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, 3, failing=False)
    fleet.go_to(BEGIN_US + 100 * DAY_US)
    with pytest.raises(CannotTrain, match="0 failures on record, at least 5"):
        train_hazard(fleet.shared, "acme", MODEL, "eva", quiet)
    with pytest.raises(CannotTrain, match=r"0 failures on record.*; 0 failures on record"):
        train_all(fleet.shared, "acme", MODEL, "eva", quiet)
    assert learned(fleet.bench.database, "acme") == []
    none = replace(MODEL, signals={"pressure": MODEL.signals["pressure"]})
    assert codes_of(none) == ()
    with pytest.raises(CannotTrain, match="declares no signal of role event"):
        train_hazard(fleet.shared, "acme", none, "eva", quiet)


def test_a_machine_that_tells_of_errors_alone_is_heard_and_not_learned() -> None:
    signals = {name: signal for name, signal in MODEL.signals.items() if signal.role is Role.EVENT}
    machines = Machines(replace(MODEL, signals=signals))
    for at in (0, 5):
        t_us = np.arange(at, at + 5, dtype=np.int64) * HOUR_US
        (outcome,) = machines.feed([Arrival("m", tuple(signals), t_us, np.ones((5, len(signals))))])
        assert outcome.events == []
    assert machines.newest_us("m") == 9 * HOUR_US
    assert picture_of(machines.look_at("m")).note == "tells of errors alone"


@pytest.mark.parametrize(
    ("before", "chance", "stood"),
    [(False, 0.31, True), (False, 0.29, False), (True, 0.2, True), (True, 0.14, False)],
)
def test_an_alarm_rises_where_a_visit_pays_and_ends_well_below(before: bool, chance: float, stood: bool) -> None:
    life = Life(1.0, 2.0, 3.0, {}, (120.0,), (chance,))
    assert stands(before, life, 120.0, 0.3) is stood


def test_a_component_that_often_fails_needs_more_than_its_usual_chance(tried: tuple[Fleet, Learned]) -> None:
    fleet, made = tried
    hazard = hazard_of(fleet.shared.home, "acme", made)
    pays = 3000 / 9000
    assert floor_of(hazard, MODEL, "pump") == pytest.approx(pays, rel=0.3)
    assert floor_of(hazard, MODEL, "pump") >= pays
    soon = replace(
        hazard, tables=replace(hazard.tables, lives=tuple(replace(x, scale=200.0) for x in hazard.tables.lives))
    )
    assert floor_of(soon, MODEL, "pump") > 1.5 * pays
    assert likeliest_mode(MODEL, "seal", {"leaking": 3})[0].name == "leaking"
    assert likeliest_mode(MODEL, "seal", {})[1] == pytest.approx(0.5)
    assert FALLEN
