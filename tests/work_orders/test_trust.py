"""A visit that found nothing lowers what follows at that component; damage found gives it back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.work_orders.world import DISPATCHER, TECHNICIAN, World
from work_orders import service
from work_orders.domain.trust import Past, trust
from work_orders.service import tables as t
from work_orders.service.intake import replay

NOW = datetime(2026, 11, 22, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("results", "factor"),
    [
        ([], 1.0),
        (["prevented", "true", "unknown"], 1.0),
        (["false"], 1 / 2),
        (["false", "false"], 1 / 3),
        (["false", "prevented"], 2 / 3),
        (["false", "missed", "true", "prevented"], 4 / 5),
    ],
)
def test_each_visit_for_nothing_counts_against_and_damage_found_for_it(results: list[str], factor: float) -> None:
    found = trust([Past(result, NOW - n * DAY) for n, result in enumerate(results)], NOW)
    assert found.factor == pytest.approx(factor)
    assert bool(found.sentence) is (factor < 1)


def test_what_was_found_long_ago_is_forgotten() -> None:
    assert trust([Past("false", NOW - 366 * DAY)], NOW).factor == 1.0


def inspected(world: World, result: str) -> None:
    """A visit to p1 with that result, done and closed."""
    order = world.booked()
    for action in ("start", "finish"):
        service.order_action(world.shared, world.tenant, order, action, TECHNICIAN)
    service.record_finding(world.shared, world.tenant, order, result, TECHNICIAN)
    service.order_action(world.shared, world.tenant, order, "close", DISPATCHER)


@pytest.mark.parametrize(("result", "verdicts"), [("false", {"wait"}), ("true", {"hold", "act"})])
def test_the_same_forecasts_lead_to_less_after_a_visit_that_found_nothing(
    world: World, result: str, verdicts: set[str]
) -> None:
    inspected(world, result)
    before = len(world.rows(t.decisions))
    world.later(days=10)
    world.take(3, p=0.1, first=50, alarm_id="another")
    later = world.rows(t.decisions)[before:]
    assert len(later) == 3
    assert {row.verdict for row in later} == verdicts
    for row in later:
        assert ("found nothing" in row.sentence) is (result == "false")
        assert row.p == pytest.approx(0.05 if result == "false" else 0.1, rel=0.02)
        assert replay(row.inputs).sentence == row.sentence


def test_another_component_is_believed_as_before(world: World) -> None:
    inspected(world, "false")
    before = len(world.rows(t.decisions))
    world.later(days=10)
    world.take(1, p=0.1, device="p2", first=50, alarm_id="another")
    assert "found nothing" not in world.rows(t.decisions)[before:][0].sentence
