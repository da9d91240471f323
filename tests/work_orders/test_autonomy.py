"""Who lets the product do more: on the record that he sees, one step at a time; every decision replays."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.work_orders.world import ADMIN, CUSTOMER, DISPATCHER, ENGINEER, TECHNICIAN, TENANT, World
from work_orders import service
from work_orders.domain.autonomy_states import AUTONOMY, Z90, AutonomyAction, Record, advice, breaks_even
from work_orders.domain.decision import Autonomy, Inputs, Path, decide
from work_orders.domain.machine import IllegalTransition, NotPermitted, Role
from work_orders.queries.replaying import replay
from work_orders.queries.review import review
from work_orders.service import autonomy_tables as p
from work_orders.service import tables as t
from work_orders.service.incidents import release
from work_orders.service.promoting import RecordChanged, move_autonomy
from work_orders.service.track_record import standings

TABLE = {
    ("watch", "promote"): "propose",
    ("propose", "promote"): "automatic",
    ("automatic", "step_back"): "propose",
    ("propose", "step_back"): "watch",
    ("propose", "stop"): "watch",
    ("automatic", "stop"): "watch",
}


@pytest.mark.parametrize(("mode", "action", "role"), list(product(Autonomy, AutonomyAction, Role)))
def test_every_mode_action_and_role(mode: Autonomy, action: AutonomyAction, role: Role) -> None:
    to = TABLE.get((str(mode), str(action)))
    may = role in (Role.DISPATCHER, Role.ADMIN) or (role is Role.ENGINEER and action is not AutonomyAction.PROMOTE)
    if to is None:
        with pytest.raises(IllegalTransition):
            AUTONOMY.step(mode, action, role)
    elif may:
        assert AUTONOMY.step(mode, action, role) == to
    else:
        with pytest.raises(NotPermitted):
            AUTONOMY.step(mode, action, role)


@given(st.integers(0, 500), st.integers(0, 500))
def test_the_interval_holds_the_share_and_narrows(right: int, wrong: int) -> None:
    of = Record(right, wrong)
    span = of.interval()
    if span is None or of.precision is None:
        assert right + wrong == 0
        return
    assert 0 <= span[0] <= of.precision + 1e-12
    assert of.precision - 1e-12 <= span[1] <= 1
    for end in span:  # where the score test would just not refuse that share
        spread = Z90 * math.sqrt(end * (1 - end) / (right + wrong))
        assert abs(abs(of.precision - end) - spread) < 1e-6
    wider = Record(right * 4, wrong * 4).interval()
    assert wider is not None
    assert wider[1] - wider[0] <= span[1] - span[0] + 1e-12


def test_nine_of_ten_may_be_two_in_three() -> None:
    low, high = Record(9, 1).interval() or (0.0, 0.0)
    assert (round(low, 3), round(high, 3)) == (0.652, 0.977)


EVEN = [(9000.0, 1500.0, 500.0, 500 / 8000), (100.0, 200.0, 10.0, None)]


@pytest.mark.parametrize(("failure", "planned", "false", "even"), EVEN)
def test_the_precision_from_which_visits_pay(failure: float, planned: float, false: float, even: float | None) -> None:
    assert breaks_even(failure, planned, false) == even


def test_the_advice_follows_the_record() -> None:
    assert "nothing to judge" in advice(Record(), Autonomy.WATCH, 0.1)
    assert "above that" in advice(Record(20, 1), Autonomy.PROPOSE, 0.3)
    assert "below that" in advice(Record(0, 30), Autonomy.PROPOSE, 0.3)
    assert "too few" in advice(Record(1, 1), Autonomy.PROPOSE, 0.5)
    assert "step back" in advice(Record(0, 30), Autonomy.AUTOMATIC, 0.3)


def serve(world: World, result: str) -> None:
    """One case through to its finding."""
    order = world.booked()
    for action in ("start", "finish"):
        service.order_action(world.shared, TENANT, order, action, TECHNICIAN)
    service.record_finding(world.shared, TENANT, order, result, TECHNICIAN)
    service.order_action(world.shared, TENANT, order, "close", DISPATCHER)


def record_of(world: World, customer: str = "") -> Record:
    with world.database.read() as connection:
        return next(s.record for s in standings(connection, TENANT) if s.customer_id == customer)


@pytest.mark.parametrize(
    ("result", "expected"), [("prevented", Record(1)), ("false", Record(0, 1)), ("unknown", Record())]
)
def test_findings_make_the_record(world: World, result: str, expected: Record) -> None:
    serve(world, result)
    assert record_of(world) == record_of(world, "waterworks") == expected
    assert record_of(world, "brewery") == Record()


def test_misses_and_what_faded_count_apart(world: World) -> None:
    service.report_breakdown(world.shared, TENANT, "p3", "bearing_wear", DISPATCHER)
    service.set_autonomy(world.shared, TENANT, "watch", model="pump", customer_id="waterworks")
    world.take(3)
    assert record_of(world, "waterworks") == Record(waiting=1)
    world.clear()
    assert record_of(world) == Record(missed=1, faded=1)


def move(world: World, action: str, seen: Record, customer: str = "waterworks") -> Autonomy:
    return move_autonomy(world.shared, TENANT, "pump", customer, action, seen, DISPATCHER)


def test_a_person_promotes_on_the_record_that_he_saw(world: World) -> None:
    service.set_autonomy(world.shared, TENANT, "watch", model="pump", customer_id="waterworks")
    assert move(world, "promote", Record()) is Autonomy.PROPOSE
    service.report_breakdown(world.shared, TENANT, "p1", "bearing_wear", DISPATCHER)
    with pytest.raises(RecordChanged):
        move(world, "promote", Record())
    assert move(world, "promote", Record(missed=1)) is Autonomy.AUTOMATIC
    with pytest.raises(IllegalTransition):
        move(world, "promote", Record(missed=1))
    assert move_autonomy(world.shared, TENANT, "pump", "waterworks", "stop", Record(), ENGINEER) is Autonomy.WATCH
    with pytest.raises(NotPermitted):
        move_autonomy(world.shared, TENANT, "pump", "waterworks", "promote", Record(missed=1), ENGINEER)
    rows = sorted(world.rows(p.promotions), key=lambda r: (r.at, r.to_mode))
    assert {(r.from_mode, r.to_mode) for r in rows} == {
        ("watch", "propose"), ("propose", "automatic"), ("automatic", "watch"),
    }  # fmt: skip
    assert {msgspec.json.decode(r.seen, type=Record).missed for r in rows} == {0, 1}


def test_the_review_queue_has_what_the_decision_needs(world: World) -> None:
    service.set_autonomy(world.shared, TENANT, "propose", model="pump")
    world.take(3)
    with world.database.read() as connection:
        found = review(connection, TENANT, world.clock.at)
    (item,) = found.items
    assert (item.asset, item.customer, item.component) == ("Pump 1", "City waterworks", "bearing")
    assert item.prediction is not None
    assert item.inputs is not None
    assert item.outcome is not None
    assert decide(item.inputs) == item.outcome
    assert (item.costs.failure.total, found.in_a_day, found.limit) == (9000.0, 1, 3)
    service.approve_proposal(world.shared, TENANT, item.order_id, ADMIN, version=item.version)
    with world.database.read() as connection:
        assert not review(connection, TENANT, world.clock.at).items


def test_the_log_replays_and_a_changed_entry_shows(world: World) -> None:
    world.take(3)
    world.take(2, device="p3")
    with world.database.read() as connection:
        assert (replay(connection, TENANT).decisions, replay(connection, TENANT).same) == (5, 5)
    act = next(r for r in world.rows(t.decisions) if r.verdict == "act")
    inputs = msgspec.json.decode(act.inputs, type=Inputs)
    forged = msgspec.json.encode(replace(inputs, approval_limit=1.0)).decode()
    with world.database.write() as connection:
        connection.execute(
            t.decisions.update().where(t.decisions.c.prediction_id == act.prediction_id).values(inputs=forged)
        )
    with world.database.read() as connection:
        (differs,) = replay(connection, TENANT, case_id=act.case_id).differing
    assert differs.weighs
    assert (differs.stored.path, differs.again.path) == (Path.AUTOMATIC, Path.APPROVAL)


def test_a_customer_releases_no_incident(world: World) -> None:
    with pytest.raises(NotPermitted):
        release(world.shared, TENANT, "I-none", CUSTOMER)
