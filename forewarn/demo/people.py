"""The autopilot: customer, technician and dispatcher, played through the HTTP API like any other client would."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from forewarn.web import Web, WebError

CONFLICT = 409
WORK = timedelta(hours=2, minutes=30)
"""How long the technician works on a pump."""
ENDED = ("closed", "cancelled", "cannot_complete")


class Engineer:
    """Whoever put the machines into service: says once of each that it was healthy while its usual values were learned.

    What is learned anew after a repair he leaves to those who repaired it.
    """

    def __init__(self, web: Web, machines: Iterable[str], say: Callable[[str], None]) -> None:
        self._web, self._say = web, say
        self._open = list(machines)
        self._confirmed = 0

    def step(self) -> None:
        """Confirm what has been learned since the last step."""
        while self._open:
            machine = self._open[0]
            learned = self._web.get(f"/api/v1/assets/{machine}/explanation")["baselines"]
            if not learned:
                self._open.append(self._open.pop(0))
                return
            if len(learned) == 1 and learned[0]["confirmed_at"] is None:
                self._web.post(f"/api/v1/assets/{machine}/baseline/confirm")
                self._confirmed += 1
            self._open.remove(machine)
            if not self._open and self._confirmed:
                self._say(f"The engineer who put {self._confirmed} pumps into service confirms how they run when well.")


class People:
    """Plays one step at a time; what cannot be done yet is tried again at the next step.

    Parameters
    ----------
    customers, technicians
        One signed-in client each.
    dispatcher
        The office.
    look
        What the technician finds when he opens the machine: (asset, now) -> failure mode, empty when all is well.
    """

    def __init__(
        self, customers: Iterable[Web], technicians: Iterable[Web], dispatcher: Web,
        look: Callable[[str, datetime], str],
    ) -> None:  # fmt: skip
        self._customers, self._technicians = list(customers), list(technicians)
        self._dispatcher, self._look = dispatcher, look

    def step(self, now: datetime) -> None:
        """Everybody does what is there to be done at `now`, the tenant's time."""
        for customer in self._customers:
            self._answer(customer)
        for order in self._dispatcher.items("/api/v1/work-orders"):
            self._office(order)
        for technician in self._technicians:
            for order in technician.items("/api/v1/work-orders"):
                self._job(technician, order, now)

    def _answer(self, customer: Web) -> None:
        for notice in customer.items("/api/v1/notices"):
            if notice["open"] and notice["slots"]:
                self._try(customer, f"/api/v1/notices/{notice['id']}/accept", {"slot": notice["slots"][0]["key"]})

    def _office(self, order: dict[str, Any]) -> None:
        action = {"awaiting_approval": "approve", "scheduled": "dispatch", "review": "close"}.get(order["state"])
        if action:
            self._try(self._dispatcher, f"/api/v1/work-orders/{order['id']}/{action}")

    def _job(self, technician: Web, order: dict[str, Any], now: datetime) -> None:
        path = f"/api/v1/work-orders/{order['id']}"
        start = order["visit_start"] and datetime.fromisoformat(order["visit_start"])
        if order["state"] == "dispatched" and start and now >= start:
            self._try(technician, f"{path}/start")
        elif order["state"] == "in_progress" and start and now >= start + WORK:
            self._try(technician, f"{path}/finish")
        elif order["state"] == "work_done":
            mode = self._look(order["asset"], now)
            broke = order["type"] == "corrective"  # before the visit, so nothing was prevented
            found = {
                "result": "false" if not mode else "true" if broke else "prevented",
                "failure_mode": mode,
                "as_found": "Worn; replaced." if mode else "Nothing found.",
                "replaced": bool(mode),
            }
            self._try(technician, f"{path}/finding", found)

    @staticmethod
    def _try(who: Web, path: str, body: dict[str, Any] | None = None) -> None:
        try:
            who.post(path, body)
        except WebError as refused:
            if refused.status != CONFLICT:  # somebody else was first, or the slot has gone: look again
                raise
