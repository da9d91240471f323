"""Solving from afar is chosen by expected cost, tried once, and gives way to a visit."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from contracts import worth
from contracts.asset_model import AssetModel, Cost, RemoteFix
from contracts.asset_model_text import BadAssetModel, parse
from tests.work_orders.test_decision import INPUTS
from tests.work_orders.world import DISPATCHER, ENGINEER, PUMP, TECHNICIAN, World
from work_orders.domain.decision import Afar, Autonomy, Path, Verdict, decide
from work_orders.domain.machine import NotPermitted
from work_orders.service import opening
from work_orders.service import tables as t
from work_orders.service.due import tenants_with_work, tick
from work_orders.service.remote_tables import remote_fixes
from work_orders.service.trying_afar import did_not_work, trying

TRY = Afar("Lower the speed", 0.5, Cost(0, 50), 12)


@pytest.mark.parametrize(
    ("afar", "path"),
    [
        (TRY, Path.REMOTE),
        (None, Path.AUTOMATIC),
        (replace(TRY, works=0.05), Path.AUTOMATIC),  # 50 for one chance in twenty to save a visit of 800
        (replace(TRY, cost=Cost(300, 200)), Path.AUTOMATIC),
        (replace(TRY, hours=120), Path.AUTOMATIC),  # it would break in the meantime
    ],
)
def test_it_is_tried_from_afar_where_that_is_expected_to_cost_less(afar: Afar | None, path: Path) -> None:
    assert decide(replace(INPUTS, afar=afar)).path is path


def test_what_may_only_be_watched_or_decided_together_is_not_tried() -> None:
    assert decide(replace(INPUTS, afar=TRY, autonomy=Autonomy.WATCH)).path is Path.WATCH
    assert decide(replace(INPUTS, afar=TRY, gathered=30)).path is Path.GATHERED


def test_while_it_is_tried_nobody_is_sent_unless_the_risk_has_grown() -> None:
    waiting = decide(replace(INPUTS, afar=replace(TRY, trying=True)))
    assert (waiting.verdict, waiting.path) == (Verdict.WAIT, None)
    grown = decide(replace(INPUTS, risk=(0.9, 0.95, 1.0), afar=replace(TRY, trying=True)))
    assert (grown.verdict, grown.path) == (Verdict.ACT, Path.AUTOMATIC)


def test_to_know_more_is_worth_most_where_the_choice_is_close() -> None:
    close = worth.least_chance(9000, 1500, 500)
    worths = [worth.knowing(p, 9000, 1500, 500) for p in (0.0, close / 2, close, 0.5, 1.0)]
    assert worths[0] == 0
    assert max(worths) == worths[2] == pytest.approx(500)


def _knows(world: World) -> World:
    """The pump's bearing may be helped from afar."""
    bearing = PUMP.components["bearing"]
    mode = replace(bearing.modes[0], remote=RemoteFix("Lower the speed", 0.6, Cost(0, 50), 12))
    model = replace(PUMP, components={**PUMP.components, "bearing": replace(bearing, modes=(mode,))})

    def models(name: str) -> AssetModel | None:
        return model if name == "pump" else None

    world.shared = replace(world.shared, models=models)
    return world


@pytest.fixture
def tried(world: World) -> World:
    _knows(world).take(3)
    return world


def test_a_decision_to_try_it_opens_no_order_and_tells_nobody(tried: World) -> None:
    assert tried.only(t.cases).state == "remote_fix"
    assert not tried.rows(t.orders)
    assert not tried.rows(t.notices)
    assert "Lower the speed from afar" in tried.rows(t.decisions)[-1].sentence
    with tried.database.read() as connection:
        assert [x.remedy for x in trying(connection, tried.tenant)] == ["Lower the speed"]
        assert tenants_with_work(connection) == [tried.tenant]
    tried.take(2, first=4)
    assert [r.verdict for r in tried.rows(t.decisions)][-2:] == ["wait", "wait"]
    assert tried.only(t.cases).state == "remote_fix"


def test_what_did_not_help_in_time_leads_to_a_visit_and_is_not_tried_again(tried: World) -> None:
    tried.clock.at += timedelta(hours=12)
    tick(tried.shared, tried.tenant)
    assert tried.only(t.cases).state == "monitoring"
    tried.take(1, first=4)
    assert tried.only(remote_fixes).how == "late"
    assert tried.only(t.cases).state == "proposed"
    assert len(tried.rows(t.orders)) == 1


def test_a_person_says_that_it_did_not_help(tried: World) -> None:
    case = tried.only(t.cases)
    with pytest.raises(NotPermitted):
        did_not_work(tried.shared, tried.tenant, case.id, TECHNICIAN)
    assert did_not_work(tried.shared, tried.tenant, case.id, ENGINEER, version=case.version) == "monitoring"
    assert tried.only(remote_fixes).how == "failed"
    tried.take(1, first=4)
    assert len(tried.rows(t.orders)) == 1


def test_what_helped_closes_the_case_as_solved_from_afar(tried: World) -> None:
    opening.solve(tried.shared, tried.tenant, tried.only(t.cases).id, "lowered the speed", DISPATCHER)
    assert (tried.only(t.cases).outcome, tried.only(remote_fixes).how) == ("remote", "worked")


def test_readings_that_go_back_meanwhile_end_the_try(tried: World) -> None:
    tried.clear()
    assert (tried.only(t.cases).outcome, tried.only(remote_fixes).how) == ("cleared", "cleared")


def test_a_dispatcher_may_send_somebody_at_once(tried: World) -> None:
    opening.order_visit(tried.shared, tried.tenant, tried.only(t.cases).id, DISPATCHER)
    assert tried.only(remote_fixes).how == "failed"
    with tried.database.read() as connection:
        assert not trying(connection, tried.tenant)
        assert connection.execute(sa.select(sa.func.count()).select_from(t.orders)).scalar_one() == 1


@pytest.mark.parametrize(
    ("remote", "fault"),
    [
        ("{remedy: Reset, works: 1.5, cost: {provider: 5}, hours: 2}", "works"),
        ("{remedy: Reset, works: 0, cost: {provider: 5}, hours: 2}", "works"),
        ("{works: 0.5, cost: {provider: 5}, hours: 2}", "remedy"),
        ("{remedy: Reset, works: 0.5, cost: {provider: 5}}", "hours"),
    ],
)
def test_a_remote_remedy_that_says_too_little_is_refused(remote: str, fault: str) -> None:
    text = f"""
name: box
title: Box
currency: EUR
signals:
  heat: {{unit: Cel, range: [0, 100], role: symptom, title: Heat}}
components:
  fan:
    title: Fan
    failure_modes:
      worn:
        title: Worn
        symptoms: {{heat: up}}
        checks: [Listen]
        remedy: Replace
        skill: mechanical
        minutes: 30
        consequence: It stops.
        remote: {remote}
        costs:
          failure: {{customer: 1, provider: 1}}
          planned: {{customer: 0, provider: 1}}
          false_visit: {{customer: 0, provider: 1}}
decision: {{horizon_hours: 120, consecutive: 3, lead_hours: 24, act_latest: 0.1}}
"""
    with pytest.raises(BadAssetModel) as found:
        parse(text, "box.yaml")
    assert f"remote.{fault}" in str(found.value)
