"""A forecast from errors alone goes the road of every forecast: a case, a decision, a notice with its reason."""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from anomaly.domain.event_alarm import Cause
from anomaly.domain.hazard import life_by
from anomaly.domain.layout import Array
from anomaly.service.event_records import Foretold, event_alarm, event_prediction
from plumbing.sql import to_us
from tests.work_orders.world import PUMP, TENANT, World
from work_orders import service
from work_orders.service import tables as t


def forecast(world: World, raised_us: int, p: Array, causes: list[Cause]) -> str:
    mode = PUMP.components["bearing"].modes[0]
    horizon, now_us = PUMP.decision.horizon_hours, to_us(world.clock.at)
    made = Foretold(
        "p1", "bearing", raised_us, now_us, life_by(p, horizon), 0.1, causes, 900.0, mode, 1.0, 97.0, "pump-2"
    )
    return service.take_prediction(world.shared, event_prediction(TENANT, PUMP, made, now_us, True))


def test_errors_alone_open_a_case_and_the_customer_reads_why(world: World) -> None:
    raised = to_us(world.clock.at)
    for n in range(3):
        causes = [Cause("error_17", 2.0 + n, 0.8), Cause("error_4", 30.0, 0.2)]
        assert forecast(world, raised, np.array([0.3, 0.6, 0.7]), causes) == "linked"
        world.clock.at += timedelta(hours=1)
    assert world.only(t.cases).component == "bearing"
    assert world.only(t.cases).prediction_id.startswith("p1@")
    world.later(hours=1)
    body = str(world.only(t.notices).body)
    assert "error 17 came 4 h ago" in body
    assert "error 4 came 30 h ago" in body
    ended = event_alarm(TENANT, "p1", "bearing", raised, to_us(world.clock.at), "cleared", "it has fallen")
    service.take_alarm(world.shared, ended)
    assert world.only(t.cases).state == "closed"


def test_a_part_that_grows_old_is_a_reason_of_its_own(world: World) -> None:
    raised = to_us(world.clock.at)
    for _ in range(3):
        forecast(world, raised, np.array([0.3, 0.6, 0.7]), [])
        world.clock.at += timedelta(hours=1)
    world.later(hours=1)
    assert "it has run for 900 h since it was new or first seen" in str(world.only(t.notices).body)
