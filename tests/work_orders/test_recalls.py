"""Recalls over a model or a batch: one incident, a case for each machine, opened in portions."""

from __future__ import annotations

from typing import Any

import pytest

from tests.work_orders.world import DISPATCHER, TENANT, World
from work_orders import service
from work_orders.queries.door import recalls
from work_orders.service import door_tables as d
from work_orders.service import incidents
from work_orders.service import recalls as recalling
from work_orders.service import tables as t
from work_orders.service.door import Opened, Request, open_case
from work_orders.service.errors import BadInput
from work_orders.service.opening import solve
from work_orders.service.recalls import Recalled, go_on, recall
from work_orders.service.unit import Unit


def machines(world: World, count: int) -> None:
    for n in range(count):
        service.add_asset(world.shared, TENANT, f"q{n}", "pump", site_id="waterworks-site", serial=f"B{n}-7")


def recalled(world: World, *serials: str, name: str = "R-7") -> Recalled:
    return recall(
        world.shared, TENANT, name, "Cracked seals", DISPATCHER, model="pump", serials=serials, component="seal"
    )


def test_it_opens_one_incident_over_a_batch(world: World) -> None:
    machines(world, 12)
    made = recalled(world, "B1")
    assert (made.new_cases, made.machines, made.seen, made.finished) == (3, 3, 3, True)  # B1, B10, B11
    assert len(world.rows(t.cases)) == len(world.rows(d.incident_cases)) == 3
    service.add_asset(world.shared, TENANT, "new", "pump", serial="B1x")
    service.add_asset(world.shared, TENANT, "other", "pump", serial="b1x")
    again = recalled(world, "B1")
    assert (again.incident, again.new_cases, again.machines) == (made.incident, 1, 4)
    assert {r.kind for r in world.rows(t.cases)} == {"recall"}
    with pytest.raises(BadInput):
        recalled(world, "Z", name="R-8")


def test_one_that_is_over_is_not_opened_again_empty(world: World) -> None:
    machines(world, 2)
    made = recalled(world, "B1")
    for case in world.rows(t.cases):
        solve(world.shared, TENANT, case.id, "changed", DISPATCHER)
    again = recalled(world, "B1")
    assert (again.incident, again.new_cases, again.finished) == (made.incident, 0, True)
    assert world.only(d.incidents).closed_at is not None


def test_machines_of_another_recall_stay_with_it_until_it_is_over(world: World) -> None:
    machines(world, 2)
    made = recalled(world, "B")
    again = recalled(world, "B", name="R-8")
    assert (again.incident, again.new_cases, len(world.rows(d.incidents))) == (None, 0, 1)
    incidents.dissolve(world.shared, TENANT, str(made.incident), DISPATCHER)
    third = recalled(world, "B", name="R-9")
    assert {r.incident_id for r in world.rows(d.incident_cases)} == {third.incident}
    assert third.incident not in (None, made.incident)


def test_many_are_opened_in_portions_and_everybody_sees_how_far_it_is(
    any_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = any_world
    monkeypatch.setattr(recalling, "AT_ONCE", 3)
    machines(world, 7)
    begun = recalled(world, "B")
    assert (begun.new_cases, begun.machines, begun.finished) == (3, 7, False)
    with pytest.raises(BadInput, match="still going on"):
        recalled(world, "B1")
    with world.database.read() as connection:
        shown = recalls(connection, TENANT)
        assert shown == recalls(connection, TENANT, incident=str(begun.incident))
    assert [(r.name, r.seen, r.machines, r.finished_at) for r in shown] == [("R-7", 3, 7, None)]
    service.tick(world.shared, TENANT)
    assert len(world.rows(d.incident_cases)) == 6
    assert go_on(world.shared, TENANT) == 1
    assert go_on(world.shared, TENANT) == 0
    row = world.only(d.recalls)
    assert (row.seen, row.new_cases, row.finished_at) == (7, 7, world.clock.at)
    cases = world.rows(t.cases)
    assert sorted(r.asset_id for r in cases) == [f"q{n}" for n in range(7)]
    assert world.only(d.incidents).id == begun.incident


def test_after_a_crash_in_a_portion_it_goes_on_where_it_was(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recalling, "AT_ONCE", 3)
    machines(world, 7)
    recalled(world, "B")

    def crashing(work: Unit, request: Request) -> Opened:
        opened = open_case(work, request)
        if request.asset == "q4":
            raise RuntimeError("the power went")
        return opened

    with monkeypatch.context() as broken:
        broken.setattr(recalling, "open_case", crashing)
        with pytest.raises(RuntimeError):
            go_on(world.shared, TENANT)
    assert len(world.rows(t.cases)) == world.only(d.recalls).seen == 3
    while go_on(world.shared, TENANT):
        pass
    assert len(world.rows(t.cases)) == len(world.rows(d.requests)) == len(world.rows(d.incident_cases)) == 7


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("name", {"name": " "}), ("component", {"component": "wing"}), ("failure_mode", {"failure_mode": "tired"}),
        ("serials", {"serials": [str(n) for n in range(1001)]}),
    ],
)  # fmt: skip
def test_what_it_cannot_be_about_is_refused(world: World, field: str, values: dict[str, Any]) -> None:
    given: dict[str, Any] = {"name": "R", "text": "x", "actor": DISPATCHER, "model": "pump"} | values
    with pytest.raises(BadInput) as wrong:
        recall(world.shared, TENANT, **given)
    assert wrong.value.field == field
