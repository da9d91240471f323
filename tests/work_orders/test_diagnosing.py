"""Guided diagnosis: the checks run before anybody is asked, weigh in, and hold nothing up for long."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import numpy as np
import pytest

from contracts.asset_model import AssetModel
from contracts.asset_model_text import parse
from contracts.points import DeviceRows
from contracts.records import (
    COMMAND_RESULTS,
    DEVICE_COMMANDS,
    CommandEnded,
    CommandWanted,
    HoldReleased,
    HoldSet,
    decode_for_devices,
    encode,
)
from plumbing import log
from plumbing.sql import to_us
from tests.plumbing.memory_store import MemoryStore
from tests.work_orders.world import PUMP, TECHNICIAN, World
from work_orders import service
from work_orders.adapters import consumer
from work_orders.domain.belief import Answer, Verdict, conclude, difference, prior
from work_orders.domain.decision import Inputs
from work_orders.domain.notice_text import NoticeText
from work_orders.domain.words import chance
from work_orders.service import tables as t
from work_orders.service.holding import release_hold, set_hold
from work_orders.service.intake import replay

CHECKED = parse(
    """
name: pump
title: Pump
running_when: speed > 300
signals:
  vibration: {unit: mm/s, range: [0, 100], role: symptom, title: Vibration}
  speed: {unit: /min, range: [0, 6000], role: condition, title: Speed}
components:
  bearing:
    title: Bearing
    failure_modes:
      bearing_wear: &mode
        title: Bearing wear
        symptoms: {vibration: up}
        remedy: Replace both bearings
        skill: mechanical
        minutes: 90
        covered: true
        consequence: The pump stops.
        costs:
          failure: {customer: 6500, provider: 2500}
          planned: {customer: 0, provider: 1500}
          false_visit: {customer: 0, provider: 500}
      bearing_dry: *mode
  seal:
    title: Seal
    failure_modes:
      seal_leak: *mode
commands:
  waveform: {risk: read}
diagnosis:
  start: 0.02
  wait_seconds: 6
  checks:
    lines:
      title: Bearing lines
      command: waveform
      value: line
      source: engineering estimate
      outcomes:
        - {when: "< 0", factors: {bearing_wear: 0.05, bearing_dry: 20}, says: it runs dry}
        - {when: ">= 0, < 4", factors: {bearing_wear: 0.02, bearing_dry: 0.02, nothing: 5}, says: no line}
        - {when: ">= 4, < 100", factors: {bearing_wear: 10, nothing: 0.1}, says: a clear line}
        - {when: ">= 100", factors: {bearing_wear: 0.01, bearing_dry: 0.01, seal_leak: 50}, says: water in the seal}
    louder:
      title: Vibration against the week before
      telemetry: {signal: vibration, hours: 6, against_hours: 48, skip_hours: 24}
      unit: mm/s
      source: engineering estimate
      outcomes:
        - {when: "< 0.5", factors: {bearing_wear: 0.5}, says: no louder}
        - {when: ">= 0.5", factors: {bearing_wear: 3}, says: louder}
  modes:
    bearing_wear: [lines, louder]
decision: {horizon_hours: 120, consecutive: 3, lead_hours: 24, act_latest: 0.1}
""",
    "pump.yaml",
)


def checked(name: str) -> AssetModel | None:
    return CHECKED if name == "pump" else None


@pytest.fixture
def closer(world: World) -> World:
    """The small company, whose pumps have checks, with two weeks of readings of pump 1."""
    world.shared = replace(world.shared, models=checked)
    hours = range(-240, 120)
    times = [to_us(world.clock.at + timedelta(hours=h)) for h in hours]
    values: list[list[float | None]] = [[3.5 if h > -12 else 2.0, 1450.0] for h in hours]
    rows = DeviceRows(
        world.tenant, "p1", "pump", "9f3c01aa", ["vibration", "speed"], list(range(1, len(times) + 1)), times, values,
        to_us(world.clock.at),
    )  # fmt: skip
    world.shared.store.write([rows])
    return world


def wanted(world: World) -> list[CommandWanted]:
    found = [decode_for_devices(e.payload) for e in world.heard(DEVICE_COMMANDS)]
    return [w for w in found if isinstance(w, CommandWanted)]


def answer(world: World, value: float, state: str = "done", n: int = -1) -> None:
    of = wanted(world)[n]
    ended = CommandEnded(
        1, of.id, world.tenant, of.device, of.name, state, "", "", {"line": value} if state == "done" else {},
        world.clock.at,
    )  # fmt: skip
    with world.database.write() as connection:
        log.append(connection, world.tenant, COMMAND_RESULTS, of.device, encode(ended), world.clock.at)
    consumer.take_results(world.shared, 50)


def examine(world: World, rounds: int = 3) -> None:
    for _ in range(rounds):
        consumer.examine(world.shared)


def verdicts(world: World) -> list[str]:
    return [r.verdict for r in sorted(world.rows(t.decisions), key=lambda r: (r.at, r.prediction_id))]


def test_a_small_chance_starts_no_check(closer: World) -> None:
    closer.take(1, p=0.01)
    assert wanted(closer) == []
    assert closer.rows(t.diagnoses) == []


def test_a_rising_forecast_starts_the_checks_before_anybody_is_asked(closer: World) -> None:
    closer.take(1, p=0.05)
    (of,) = wanted(closer)
    assert (of.device, of.name, of.case_id) == ("p1", "waveform", closer.only(t.cases).id)
    examine(closer)
    answer(closer, 9.0)
    examine(closer)
    diagnosis = closer.only(t.diagnoses)
    assert (diagnosis.verdict, diagnosis.factor) == ("confirmed", 1.0)
    assert "a clear line (9)" in diagnosis.sentence
    assert "louder (1.5 mm/s)" in diagnosis.sentence
    closer.take(3, first=2)
    assert len(wanted(closer)) == 1
    (case,) = closer.rows(t.cases)
    assert case.decided_at is not None
    assert "remote checks confirm bearing wear" in closer.rows(t.decisions)[-1].sentence
    assert {"diagnosis_started", "diagnosis_concluded"} <= set(closer.actions())


def test_a_decision_waits_for_the_checks_and_is_made_when_they_have_answered(closer: World) -> None:
    closer.clock.at += timedelta(hours=1)
    for n in (1, 2, 3):
        service.take_prediction(closer.shared, closer.forecast(n))
    assert verdicts(closer) == ["hold", "hold"]
    assert closer.rows(t.orders) == []
    answer(closer, 9.0)
    examine(closer)
    assert verdicts(closer) == ["hold", "hold", "act"]
    assert len(closer.rows(t.orders)) == 1


@pytest.mark.parametrize("jump", [6.0, 3600.0, 86_400.0, -3600.0, -86_400.0, -56 * 365 * 86_400.0])
def test_a_device_that_does_not_answer_holds_a_notice_up_for_seconds(closer: World, jump: float) -> None:
    for n in (1, 2, 3):
        service.take_prediction(closer.shared, closer.forecast(n))
    examine(closer)
    assert closer.rows(t.orders) == []
    closer.clock.at += timedelta(seconds=5.9)
    examine(closer)
    assert closer.rows(t.orders) == []
    closer.clock.at += timedelta(seconds=jump)
    examine(closer)
    assert len(closer.rows(t.orders)) == 1
    states = {r.check: (r.state, r.text) for r in closer.rows(t.evidence)}
    assert states == {"lines": ("no_answer", "no answer in time"), "louder": ("answered", "")}


def test_without_any_answer_the_decision_is_the_same_as_without_checks(closer: World) -> None:
    store = closer.shared.store
    assert isinstance(store, MemoryStore)
    store.reachable = False
    for n in (1, 2, 3):
        service.take_prediction(closer.shared, closer.forecast(n))
    examine(closer)
    closer.clock.at += timedelta(seconds=7)
    examine(closer)
    assert closer.only(t.diagnoses).verdict == "no_answer"
    assert verdicts(closer) == ["hold", "hold", "act"]
    assert "the remote checks gave no answer" in closer.rows(t.decisions)[-1].sentence


@pytest.mark.parametrize("state", ["failed", "refused", "expired", "no_answer"])
def test_a_check_that_a_device_refuses_is_no_answer(closer: World, state: str) -> None:
    closer.take(1)
    answer(closer, 0.0, state)
    row = next(r for r in closer.rows(t.evidence) if r.check == "lines")
    assert (row.state, row.value) == ("no_answer", None)


def test_checks_that_find_nothing_keep_people_at_home(closer: World) -> None:
    service.take_prediction(closer.shared, closer.forecast(1, p=0.3))
    answer(closer, 1.0)
    examine(closer)
    diagnosis = closer.only(t.diagnoses)
    assert diagnosis.verdict == "lowered"
    assert diagnosis.factor < 0.2
    closer.take(5, p=0.3, first=2)
    assert closer.rows(t.orders) == []
    assert "remote checks make bearing wear less likely" in closer.rows(t.decisions)[-1].sentence


def test_a_customer_is_told_the_chance_that_the_checks_left(closer: World) -> None:
    service.take_prediction(closer.shared, closer.forecast(1, p=0.9))
    answer(closer, 1.0)
    examine(closer)
    left = closer.only(t.diagnoses).factor
    assert left < 0.5
    closer.take(3, p=0.9, first=2)
    text = msgspec.json.decode(closer.only(t.notices).body, type=NoticeText)
    assert text.p_horizon == pytest.approx(0.9 * left)
    assert text.p_horizon == pytest.approx(closer.only(t.cases).p_horizon)
    assert text.curve.within(240.0) == pytest.approx(left)
    assert chance(0.9 * left) in text.chance.casefold()
    assert chance(0.9) not in text.chance.casefold()


def test_checks_can_name_another_mode_of_the_component(closer: World) -> None:
    service.take_prediction(closer.shared, closer.forecast(1))
    answer(closer, -1.0)
    examine(closer)
    assert (closer.only(t.diagnoses).verdict, closer.only(t.diagnoses).found_mode) == ("other", "bearing_dry")
    closer.take(2, first=2)
    assert closer.only(t.cases).failure_mode == "bearing_dry"


def test_checks_can_point_to_another_component(closer: World) -> None:
    service.take_prediction(closer.shared, closer.forecast(1))
    answer(closer, 200.0)
    examine(closer)
    assert (closer.only(t.diagnoses).verdict, closer.only(t.diagnoses).found_mode) == ("other", "seal_leak")
    closer.take(1, first=2)
    assert closer.only(t.cases).failure_mode == "bearing_wear"


def test_a_late_answer_counts_for_the_next_decision(closer: World) -> None:
    service.take_prediction(closer.shared, closer.forecast(1, p=0.3))
    closer.clock.at += timedelta(seconds=10)
    examine(closer)
    before = closer.only(t.diagnoses).sentence
    answer(closer, 1.0)
    assert closer.only(t.diagnoses).sentence != before
    assert closer.only(t.diagnoses).verdict == "lowered"
    assert "diagnosis_amended" in closer.actions()


def test_an_answer_is_taken_once(closer: World) -> None:
    service.take_prediction(closer.shared, closer.forecast(1))
    answer(closer, 9.0)
    answer(closer, 1.0)
    assert next(r for r in closer.rows(t.evidence) if r.check == "lines").value == 9.0


def test_checks_run_again_only_after_their_time(closer: World) -> None:
    closer.take(1)
    answer(closer, 1.0)
    examine(closer)
    closer.take(10, first=2)
    assert len(wanted(closer)) == 1
    closer.clock.at += timedelta(hours=72)
    closer.take(1, first=20)
    assert len(wanted(closer)) == 2


def test_every_decision_replays_from_what_was_logged(closer: World) -> None:
    closer.take(1)
    answer(closer, 1.0)
    examine(closer)
    closer.take(4, first=2)
    for row in closer.rows(t.decisions):
        assert msgspec.json.encode(replay(row.inputs)).decode() == row.outcome
    old = msgspec.json.decode(closer.rows(t.decisions)[0].inputs)
    del old["belief"], old["evidence"]
    assert msgspec.json.decode(msgspec.json.encode(old), type=Inputs).belief == 1.0  # logged before there were checks


def test_a_visit_on_site_and_permits_stand_against_guarded_commands(closer: World) -> None:
    until = closer.clock.at + timedelta(hours=2)
    service.start_being_worked_on(closer.shared, closer.tenant, "p1", "visit on site", until, TECHNICIAN)
    id = set_hold(closer.shared, closer.tenant, "p1", "lockout", "breaker Q3", TECHNICIAN)
    service.end_being_worked_on(closer.shared, closer.tenant, "p1", TECHNICIAN)
    assert release_hold(closer.shared, closer.tenant, id, TECHNICIAN)
    assert not release_hold(closer.shared, closer.tenant, id, TECHNICIAN)
    told: list[Any] = [decode_for_devices(e.payload) for e in closer.heard(DEVICE_COMMANDS)]
    assert [(type(h), h.kind) for h in told if isinstance(h, HoldSet)] == [(HoldSet, "visit"), (HoldSet, "lockout")]
    assert len([h for h in told if isinstance(h, HoldReleased)]) == 2


def test_belief_before_any_check_sums_to_one_and_keeps_the_suspicion_on_top() -> None:
    for share in (0.0, 0.3, 0.9, 1.0):
        before = prior(CHECKED, "bearing_wear", share)
        assert math.isclose(sum(before.values()), 1.0)
        assert set(before) == {"bearing_wear", "bearing_dry", "seal_leak", "nothing"}
    mode = CHECKED.mode("bearing_wear")
    assert mode is not None
    none = conclude(CHECKED, mode, prior(CHECKED, "bearing_wear", 0.9), [Answer("x", "", None, None)])
    assert (none.verdict, none.factor) == (Verdict.NO_ANSWER, 1.0)


def test_a_difference_counts_running_hours_alone() -> None:
    hours = np.arange(100.0, 0.0, -1.0)
    signal = np.where(hours <= 6, 5.0, 2.0)
    running = np.ones(100, dtype=bool)
    assert difference(signal, None, running, hours, 6, 48, 24) == 3.0
    assert difference(signal, signal, running, hours, 6, 48, 24) == 0.0
    assert difference(signal, None, running, hours, 6, 0, 0) == 5.0
    running[hours <= 6] = False
    assert difference(signal, None, running, hours, 6, 48, 24) is None


def test_a_model_without_checks_decides_as_before(world: World) -> None:
    assert PUMP.diagnosis.modes == {}
    world.take(3)
    assert world.rows(t.diagnoses) == []
    assert len(world.rows(t.orders)) == 1
