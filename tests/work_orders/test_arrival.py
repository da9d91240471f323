"""When a technician on the way arrives: minutes for the customer, a position for nobody, nothing kept."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from plumbing import audit
from tests.work_orders.world import CUSTOMER, DISPATCHER, OTHER_TECHNICIAN, SUNDAY, TECHNICIAN, TENANT, World
from work_orders.domain.arrival import USUAL, Pace, coarse, km_between, minutes_for, pace_of, words
from work_orders.domain.base_fields import Sheet
from work_orders.domain.machine import IllegalTransition, NotPermitted
from work_orders.queries.conversations import conversation
from work_orders.service import tables as t
from work_orders.service.arrival import say_arrival, share_position, stop_arrival
from work_orders.service.arrival_tables import arrivals
from work_orders.service.base_import import take_base
from work_orders.service.errors import BadInput, NotFound
from work_orders.service.order_steps import visit_action

BERLIN, POTSDAM = (52.52, 13.405), (52.3906, 13.0645)
SAID = [
    (20, 35, 0, "in about 20 to 35 minutes"),
    (20, 35, 10, "in about 10 to 25 minutes"),
    (20, 35, 22, "within 15 minutes"),
    (20, 35, 34.5, "within 5 minutes"),
    (20, 35, 35, ""),
]


def test_distances_paces_and_minutes() -> None:
    assert km_between(BERLIN, POTSDAM) == pytest.approx(27.1, abs=0.3)
    assert km_between(BERLIN, BERLIN) == 0
    assert (coarse(52.5249), coarse(-13.405)) == (52.52, -13.4)
    assert pace_of([(60, 60)] * 4) == USUAL
    assert pace_of([(10, 60), (20, 60), (30, 60), (40, 60), (50, 60), (60, 60), (0, 9), (9, 0)]) == Pace(20, 50)
    assert minutes_for(0.0, USUAL) == (0, 5)
    low, high = minutes_for(27.1, USUAL)
    assert (low % 5, high % 5) == (0, 0)
    assert low <= 60 * 1.3 * 27.1 / 60 <= 60 * 1.3 * 27.1 / 30 <= high


@pytest.mark.parametrize(("low", "high", "after", "said"), SAID)
def test_how_it_is_said_as_time_passes(low: int, high: int, after: float, said: str) -> None:
    at = [SUNDAY + timedelta(minutes=m) for m in (low, high, after)]
    assert words(*at) == said


def place(world: World) -> None:
    headers, cells = (
        ("customer", "name", "id", "lat", "lon"),
        ["waterworks", "Hall", "waterworks-site", "52,52", "13.405"],
    )
    taken = take_base(world.shared, TENANT, [Sheet("sites", headers, [cells])], DISPATCHER)
    assert taken.faults == []


def on_the_way(world: World) -> str:
    order = world.booked()
    for action in ("accept", "set_out"):
        visit_action(world.shared, TENANT, order, action, TECHNICIAN)
    return order


def read(world: World) -> str:
    case = world.only(t.cases).id
    with world.database.read() as connection:
        found = conversation(connection, TENANT, case, customer_id="waterworks", now=world.clock.at)
    assert found is not None
    return next(s.text for s in found.steps if s.name == "on_the_way")


def test_the_customer_reads_minutes_and_nothing_is_left_of_the_position(world: World) -> None:
    place(world)
    order = on_the_way(world)
    assert read(world) == "Tom is on the way."
    said = share_position(world.shared, TENANT, order, (52.39061234, 13.06451234), TECHNICIAN)
    assert read(world) == f"Tom is on the way, {said}."
    share_position(world.shared, TENANT, order, (52.50, 13.35), TECHNICIAN)
    assert read(world) != f"Tom is on the way, {said}."
    row = world.only(arrivals)  # one row, written over, of times alone
    assert {type(x) for x in row} == {str, datetime, bool}
    with world.database.read() as connection:
        told = "".join(str(e) for e in audit.read(connection, TENANT, limit=10_000))
        everything = "".join(
            str(r)
            for table in sa.inspect(connection).get_table_names()
            if table not in ("work_orders_sites", "audit_entries")
            for r in connection.execute(sa.text(f'SELECT * FROM "{table}"'))
        )
    for text in ("52.39", "13.06", "52.5,", "13.35", "52.50"):
        assert text not in everything
    assert "52.39" not in told
    assert "13.06" not in told
    assert world.actions().count("arrival_shared") == 1
    visit_action(world.shared, TENANT, order, "arrive", TECHNICIAN)
    assert world.rows(arrivals) == []
    with pytest.raises(IllegalTransition):
        share_position(world.shared, TENANT, order, BERLIN, TECHNICIAN)


def test_what_a_phone_told_last_is_forgotten_soon_and_at_once_when_he_stops_it(world: World) -> None:
    place(world)
    order = on_the_way(world)
    share_position(world.shared, TENANT, order, POTSDAM, TECHNICIAN)
    world.clock.at += timedelta(minutes=15)
    assert read(world) == "Tom is on the way."
    assert world.later(seconds=1) == 1
    assert world.rows(arrivals) == []
    share_position(world.shared, TENANT, order, POTSDAM, TECHNICIAN)
    assert stop_arrival(world.shared, TENANT, order, TECHNICIAN)
    assert not stop_arrival(world.shared, TENANT, order, TECHNICIAN)
    assert world.rows(arrivals) == []
    assert world.actions().count("arrival_stopped") == 1


def test_nobody_else_tells_where_he_is_and_minutes_are_told_by_hand(world: World) -> None:
    order = on_the_way(world)
    for actor, error in ((DISPATCHER, NotPermitted), (CUSTOMER, NotPermitted), (OTHER_TECHNICIAN, NotFound)):
        with pytest.raises(error):
            share_position(world.shared, TENANT, order, POTSDAM, actor)
    with pytest.raises(BadInput, match="not on record"):
        share_position(world.shared, TENANT, order, POTSDAM, TECHNICIAN)
    with pytest.raises(NotPermitted):
        say_arrival(world.shared, TENANT, order, 25, CUSTOMER)
    with pytest.raises(BadInput):
        say_arrival(world.shared, TENANT, order, 0, TECHNICIAN)
    assert say_arrival(world.shared, TENANT, order, 25, DISPATCHER) == "in about 20 to 35 minutes"
    world.later(minutes=20)
    assert read(world) == "Tom is on the way, within 15 minutes."
    assert world.later(minutes=20) == 1
    assert world.rows(arrivals) == []


def test_a_site_has_both_degrees_or_none(world: World) -> None:
    for cells in (["52.52", ""], ["91", "13"], ["here", "13"]):
        sheet = Sheet("sites", ("customer", "name", "latitude", "longitude"), [["brewery", "Hall", *cells]])
        assert take_base(world.shared, TENANT, [sheet], DISPATCHER).faults
