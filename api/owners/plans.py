"""Preventive plans and meter readings; answered from work_orders."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from api.owners.commands import actor_of, refusals
from api.problems import Problem, not_found
from api.roles import Principal
from contracts.asset_model_plans import SuggestedPlan
from plumbing.runtime import Shared
from work_orders.domain.plans import Condition, Spec
from work_orders.queries.paging import LIMIT, Page
from work_orders.queries.plans import MeterRow, PlanRow, meters, plans
from work_orders.service.plans import make_plan, move_plan, record_reading

MOST = 500
"""Plans of one machine."""


class Plans:
    """Questions and commands about preventive plans. Commands raise Problem."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def plans(
        self, who: Principal, asset: str | None = None, *, ended: bool = False, after: str = "", limit: int = LIMIT
    ) -> Page[PlanRow]:
        """Plans, what is due next first."""
        with self._shared.database.read() as connection:
            return plans(connection, who.tenant, asset_id=asset, ended=ended, after=after, limit=limit)

    def of_asset(self, who: Principal, asset: str, *, ended: bool = False) -> Sequence[PlanRow]:
        """All plans of a machine."""
        return self.plans(who, asset, ended=ended, limit=MOST).items

    def meters(self, who: Principal, asset: str) -> list[MeterRow]:
        """What the meters of a machine showed last."""
        with self._shared.database.read() as connection:
            return meters(connection, who.tenant, asset)

    def make(self, who: Principal, asset: str, spec: Spec, begins: datetime | None, key: str = "") -> PlanRow:
        """Put a plan on record; the same key again gives the same plan."""
        with refusals():
            actor = actor_of(self._shared, who)
            id = make_plan(self._shared, who.tenant, asset, spec, actor, begins=begins, key=key)
        return self._one(who, id)

    def suggested(self, who: Principal, asset: str, model: str) -> list[SuggestedPlan]:
        """What the machine's model suggests and nobody has taken up yet."""
        found = self._shared.models(model)
        titles = {r.title for r in self.of_asset(who, asset, ended=True)}
        return [p for p in found.plans.values() if p.title not in titles] if found is not None else []

    def take_up(self, who: Principal, asset: str, model: str) -> Sequence[PlanRow]:
        """Make plans of what the model suggests."""
        for p in self.suggested(who, asset, model):
            spec = Spec(p.title, p.tasks, p.every_days, p.every_months, p.every_hours, skill=p.skill, minutes=p.minutes)
            self.make(who, asset, spec, None, f"model-{p.name}")
        return self.of_asset(who, asset)

    def move(self, who: Principal, plan: str, action: str, version: int | None) -> PlanRow:
        """`pause`, `resume`, `end`."""
        with refusals():
            move_plan(self._shared, who.tenant, plan, action, actor_of(self._shared, who), version=version)
        return self._one(who, plan)

    def _one(self, who: Principal, id: str) -> PlanRow:
        with self._shared.database.read() as connection:
            found = plans(connection, who.tenant, id=id, ended=True).items
        if not found:
            raise not_found("plan")
        return found[0]

    def read(self, who: Principal, asset: str, meter: str, value: float, at: datetime | None) -> Sequence[MeterRow]:
        """Keep what a meter showed."""
        with refusals():
            record_reading(self._shared, who.tenant, asset, meter, value, actor_of(self._shared, who), at=at)
        return self.meters(who, asset)


def spec_from(body: dict[str, Any]) -> Spec:
    """A plan as JSON. Raises Problem."""
    try:
        return msgspec.convert(body, Spec)
    except msgspec.ValidationError as no:
        raise Problem(422, f"plan: {no}", field="plan", rule=str(no)) from no


def spec_of_form(
    title: str, tasks: str, days: int, months: int, hours: float, meter: str, limit: float | None, *, below: bool,
    fixed: bool, skill: str, minutes: int,
) -> Spec:  # fmt: skip
    """A plan as the form gives it: one step a line."""
    steps = tuple(line.strip() for line in tasks.splitlines() if line.strip())
    when = Condition(meter.strip(), limit, below) if meter.strip() and limit is not None else None
    return Spec(title.strip(), steps, days, months, hours, when, fixed, skill=skill.strip(), minutes=minutes)
