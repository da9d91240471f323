"""The demo's stories as cards on a page: what happens to which pump, its outcome, bills and charts."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
import numpy as np

from anomaly.queries.condition import sensor_faults
from api.views import Card, Chart, Money, Series
from forewarn.demo.facts import Facts
from forewarn.demo.stage import TENANT
from plumbing.runtime import Shared
from plumbing.sql import to_us
from simulators.pumps import Fleet
from work_orders.domain.decision import Inputs
from work_orders.domain.words import percent
from work_orders.queries.cases import case, cases
from work_orders.queries.figures import story_bill

WARM = "bearing_temperature"
BEFORE_HEAT, AFTER_HEAT = timedelta(days=5), timedelta(days=2)
AROUND_STUCK = timedelta(days=2)
BUCKETS = 400
SERVED = {
    "running": (
        "Served: the bearing that wears",
        "The technician looks for himself; what he finds is the label of the forecast.",
    ),
    "prevented": (
        "Served: the bearing that was replaced in time",
        "The technician found it worn, and replaced it: prevented.",
    ),
    "failed": (
        "Served: the bearing that nobody replaced in time",
        "No visit was agreed in time, and it failed. No reply is never taken as a yes.",
    ),
    "found_nothing": (
        "Served: the bearing that was looked at",
        "The technician found nothing wrong. That counts against the forecast.",
    ),
}
"""Title and last sentence of the served pump's story by its outcome."""


class Book:
    """api.views.StoryBook over the demo's facts and the product's own data."""

    def __init__(self) -> None:
        self._of: tuple[Shared, Facts] | None = None

    def open(self, shared: Shared, facts: Facts) -> None:
        """The demo has begun."""
        self._of = (shared, facts)

    @property
    def _shared(self) -> Shared:
        if self._of is None:
            raise RuntimeError("the demo has not begun")
        return self._of[0]

    @property
    def _facts(self) -> Facts:
        if self._of is None:
            raise RuntimeError("the demo has not begun")
        return self._of[1]

    def cards(self) -> Sequence[Card]:
        """The stories as they stand now."""
        if self._of is None or self._facts.world is None:
            return []
        fleet = self._facts.fleet()
        now = self._shared.clocks.of(TENANT).now()
        return [
            self._served(fleet),
            self._twin(fleet),
            self._heat(fleet, now),
            self._stuck(fleet, now),
            self._nothing(fleet),
        ]

    def _outcome(self, story: str) -> str:
        return self._facts.there.outcomes.get(story, "running")

    def _served(self, fleet: Fleet) -> Card:
        asset = fleet.stories["served"]
        outcome = self._outcome("served")
        title, end = SERVED[outcome]
        return Card(
            "served", title, asset, outcome,
            (
                "The bearing of this pump wears. When a visit becomes cheaper than waiting, Forewarn opens a job and"
                " tells the customer, who chooses a half day.",
                end,
            ),
            self._links(asset), self._bills(asset),
        )  # fmt: skip

    def _twin(self, fleet: Fleet) -> Card:
        asset = fleet.stories["ignored_twin"]
        return Card(
            "ignored_twin", "Ignored twin: the same wear, nobody told", asset, self._outcome("ignored_twin"),
            (
                "The same machine with the same wear, second for second. Its customer's machines are only watched:"
                " Forewarn writes down what it would have opened, and tells nobody.",
                "The two bills stand side by side.",
            ),
            self._links(asset), [*self._bills(fleet.stories["served"]), *self._bills(asset)],
        )  # fmt: skip

    def _heat(self, fleet: Fleet, now: datetime) -> Card:
        asset = fleet.stories["hot_afternoon"]
        return Card(
            "hot_afternoon", "Hot afternoon: warmer than ever, and nothing is wrong", asset,
            self._outcome("hot_afternoon"),
            (
                "Heat and load make this pump's bearing warmer than ever: the plain value leaves its usual band.",
                "Compensated for load and ambient temperature it does not. Nobody is sent.",
            ),
            self._links(asset), (), self._warm(fleet, asset, now),
        )  # fmt: skip

    def _stuck(self, fleet: Fleet, now: datetime) -> Card:
        asset = fleet.stories["stuck_sensor"]
        named = sensor_faults(self._shared.database, TENANT, device=asset)
        told = [f"{f.text}." for f in named if not f.history][-1:]
        return Card(
            "stuck_sensor", "Stuck sensor: the instrument fails, not the machine", asset,
            self._outcome("stuck_sensor"),
            (
                "The vibration sensor of this pump gives the same value again and again while the pump goes on.",
                *(told or ["Forewarn will name it, leave its readings out of the score and propose a check of it."]),
                "No work on the pump follows from it.",
            ),
            [("Why", f"/assets/{asset}#sensors")] if told else self._links(asset), (),
            self._standing_still(fleet, asset, now),
        )  # fmt: skip

    def _nothing(self, fleet: Fleet) -> Card:
        asset = fleet.stories["found_nothing"]
        outcome = self._outcome("found_nothing")
        said = ["It looks like bearing wear, and is none: something beside this pump shakes it, goes, and comes back."]
        if outcome != "found_nothing":
            said.append("A visit will find nothing wrong. That counts against the next forecast for this bearing.")
        else:
            said.append("The technician opened it and found nothing. That counts against the next forecast.")
            said += self._before_and_after(asset)
        return Card(
            "found_nothing", "Found nothing: the visit that teaches", asset, outcome, said, self._links(asset),
            self._bills(asset),
        )  # fmt: skip

    def _before_and_after(self, asset: str) -> list[str]:
        """What the newest forecast since the visit was worth before the finding, and after it."""
        with self._shared.database.read() as connection:
            newest = cases(connection, TENANT, asset_id=asset, limit=1).items
            found = case(connection, TENANT, newest[0].id) if newest else None
        for decision in found.decisions if found else ():
            inputs = msgspec.json.decode(decision.inputs, type=Inputs)
            if decision.p is not None and inputs.trust < 1.0:
                before, after = decision.p / inputs.trust, decision.p
                return [
                    f"It came back. Before the finding its chance of failure would have counted as {percent(before)},"
                    f" now it counts as {percent(after)}: {inputs.evidence.rpartition('; ')[2]}."
                ]
        return ["When it comes back, this card shows what the forecast was worth before the finding, and after it."]

    def _standing_still(self, fleet: Fleet, asset: str, now: datetime) -> Chart | None:
        """The readings around the time at which the sensor stands still."""
        pump = fleet.pump(asset)
        if pump.stuck is None or now <= pump.time(pump.stuck.begins):
            return None
        begin, until = pump.time(pump.stuck.begins), pump.time(pump.stuck.ends)
        end = min(now, until + AROUND_STUCK)
        of = (TENANT, asset, pump.stuck.signal, to_us(begin - AROUND_STUCK), to_us(end))
        band = self._shared.store.band(*of, BUCKETS)
        seconds, mean = (band.t_us / 1e6).tolist(), np.asarray(band.mean, dtype=float)
        line = Series("as measured", "mm/s", seconds, [None if np.isnan(x) else float(x) for x in mean])
        spans = [(begin.timestamp(), min(now, until).timestamp(), "stands still")]
        return Chart("Vibration", [line], spans, [], "A machine that runs never gives one value for hours.")

    def _links(self, asset: str) -> list[tuple[str, str]]:
        with self._shared.database.read() as connection:
            newest = cases(connection, TENANT, asset_id=asset, limit=1).items
        return [("Case", f"/cases/{row.id}") for row in newest]

    def _bills(self, asset: str) -> list[Money]:
        with self._shared.database.read() as connection:
            found = story_bill(connection, TENANT, asset)
        if found is None:
            return []
        return [
            Money(f"{asset}: {bill.outcome}", bill.customer, bill.provider, bill.currency, bill.formula)
            for bill in (found.actual,)
            if bill
        ]

    def _warm(self, fleet: Fleet, asset: str, now: datetime) -> Chart | None:
        """Plain and compensated bearing temperature around the heat, each in usual deviations."""
        from anomaly.queries.compensated import deviations

        begin, end = fleet.heat[0] - BEFORE_HEAT, min(now, fleet.heat[1] + AFTER_HEAT)
        if end <= begin:
            return None
        found = deviations(self._shared, TENANT, asset, WARM, to_us(begin), to_us(end), BUCKETS)
        if found is None:
            return None
        seconds = (found.t_us / 1e6).tolist()
        lines = (("plain value", found.plain), ("compensated for load and heat", found.compensated))
        return Chart(
            "Bearing temperature, in usual deviations",
            [Series(name, "1", seconds, [None if np.isnan(x) else float(x) for x in y]) for name, y in lines],
            [(fleet.heat[0].timestamp(), fleet.heat[1].timestamp(), "heat wave")],
            [(3.0, "usual band"), (-3.0, "usual band")],
            "One usual deviation is how much the value varies while all is well.",
        )
