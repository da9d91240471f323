"""Runs the demo: slows the clock while somebody is to act, reports breakdowns, passes on repairs, names outcomes."""

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from forewarn.demo.facts import Facts
from forewarn.demo.machines import Machines
from forewarn.demo.people import Engineer, People
from forewarn.demo.stage import PACE, TENANT
from forewarn.web import Web, WebError
from plumbing.runtime import Shared
from work_orders.domain.machine import Actor, Role
from work_orders.service.findings import report_breakdown

STEP_S = 0.25
SLOW = 60.0
PATIENCE_S = 15 * 60.0
"""Wall seconds for which the clock waits for a person."""
AFTER_HEAT = timedelta(hours=12)
"""The hot afternoon's outcome is known so long after the heat."""
AFTER_STUCK = timedelta(hours=36)
"""And the stuck sensor's so long after it stood still."""
CALLER = Actor("phone", Role.DISPATCHER)
WORKING = ("in_progress", "on_hold")
log = logging.getLogger(__name__)


def is_awaited(notice: dict[str, Any]) -> bool:
    """Whether the clock waits for the answer to a notice: it was sent, can be answered, and was not given up."""
    return bool(notice["open"] and notice["sent_at"] and not notice["given_up"])


class Director:
    """A thread that looks at the orders through the HTTP API four times a second."""

    def __init__(
        self, shared: Shared, facts: Facts, machines: Machines, office: Web, engineer: Engineer, people: People | None,
        say: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._shared, self._facts, self._machines = shared, facts, machines
        self._office, self._engineer, self._people, self._say = office, engineer, people, say
        self._clock = shared.clocks.of(TENANT)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="director", daemon=True)
        self._states: dict[str, str] = {}
        self._waited: dict[str, float] = {}
        self._pace = PACE

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(STEP_S):
            try:
                self._step()
            except WebError as failure:
                log.warning("demo: %s", failure)

    def _step(self) -> None:
        now = self._clock.now()
        self._engineer.step()
        if self._people:
            self._people.step(now)
        orders = self._office.items("/api/v1/work-orders")
        for order in orders:
            self._follow(order, now)
        self._outcomes(orders, now)
        if not self._people:
            self._keep_pace(orders, now)

    def failed(self, pump: str, component: str, at: datetime) -> None:
        """A pump broke down: its customer calls."""
        model = self._shared.models("centrifugal-pump")
        modes = model.components[component].modes if model else ()
        report_breakdown(
            self._shared, TENANT, pump, modes[0].name if modes else "", CALLER, at=at,
            as_found="The customer called: the pump stands still.",
        )  # fmt: skip
        self._say(f"{pump} has failed.")

    def _follow(self, order: dict[str, Any], now: datetime) -> None:
        before, state = self._states.get(order["id"]), order["state"]
        if before == state:
            return
        self._states[order["id"]] = state
        if state == "in_progress" and before is not None:
            self._machines.stopped(order["asset"], now)
        elif state == "review" and before is not None:
            found = [f for f in self._office.items("/api/v1/findings") if f["order"] == order["id"]]
            replaced = [f["component"] for f in found if f["replaced"]]
            self._machines.mended(order["asset"], replaced[0] if replaced else "", now)

    def _outcomes(self, orders: list[dict[str, Any]], now: datetime) -> None:
        fleet, stories = self._machines.fleet, self._machines.fleet.stories
        for story in ("served", "ignored_twin"):
            name = stories[story]
            broke = fleet.pump(name).failed_at(self._facts.events(name))
            if broke is not None and broke <= now:
                self._facts.outcome(story, "failed")
        closed = [o for o in orders if o["asset"] == stories["served"] and o["state"] == "closed"]
        if closed:
            result = str(closed[0]["finding"])
            self._facts.outcome("served", {"prevented": "prevented", "true": "prevented"}.get(result, "found_nothing"))
        shaken = [o for o in orders if o["asset"] == stories["found_nothing"] and o["state"] == "closed"]
        if shaken:
            result = str(shaken[-1]["finding"])
            self._facts.outcome("found_nothing", "found_nothing" if result == "false" else "running")
        if now > fleet.heat[1] + AFTER_HEAT:
            sent = any(o["asset"] == stories["hot_afternoon"] for o in orders)
            self._facts.outcome("hot_afternoon", "running" if sent else "no_order")

        self._stuck(orders, now)

    def _stuck(self, orders: list[dict[str, Any]], now: datetime) -> None:
        """The stuck sensor was named, and nobody was sent to the machine."""
        fleet = self._machines.fleet
        name = fleet.stories["stuck_sensor"]
        stuck = fleet.pump(name).stuck
        if stuck is None or now < fleet.pump(name).time(stuck.begins) + AFTER_STUCK:
            return
        if self._facts.there.outcomes.get("stuck_sensor", "running") != "running":
            return
        named = self._office.items(f"/api/v1/sensor-faults?asset={name}")
        seen = any(f["signal"] == stuck.signal and f["kind"] == "stuck" for f in named)
        sent = any(o["asset"] == name for o in orders)
        self._facts.outcome("stuck_sensor", "no_order" if seen and not sent else "running")

    def _keep_pace(self, orders: list[dict[str, Any]], now: datetime) -> None:
        """Slow while a notice waits for an answer or a job for its technician, each for at most 15 minutes."""
        if self._clock.factor == 0.0:
            return
        waiting = {n["id"] for n in self._office.items("/api/v1/notices") if is_awaited(n)}
        waiting |= {o["id"] for o in orders if self._is_due(o, now)}
        for gone in self._waited.keys() - waiting:
            del self._waited[gone]
        for id in waiting:
            self._waited[id] = self._waited.get(id, 0.0) + STEP_S
        pace = SLOW if any(s < PATIENCE_S for s in self._waited.values()) else PACE
        if pace != self._pace:
            self._pace = pace
            self._shared.clocks.change(TENANT, pace)
            self._say(f"The demo's clock runs x{pace:g} now" + (": somebody is to act." if pace == SLOW else "."))

    @staticmethod
    def _is_due(order: dict[str, Any], now: datetime) -> bool:
        start = order["visit_start"] and datetime.fromisoformat(order["visit_start"])
        return order["state"] in (*WORKING, "work_done", "review") or bool(
            order["state"] in ("scheduled", "dispatched") and start and start <= now
        )
