"""Act or wait, by expected cost: pure, so that every decision replays from what was logged.

Act when P(failure within the horizon) x (C_failure - C_planned) > C_false, for `consecutive` forecasts in a row; then
the decision is latched. Who is told is another question: autonomy, the approval limit and the brake (`route`).
"""

import math
from dataclasses import dataclass
from enum import StrEnum

from contracts import worth
from contracts.asset_model import Cost
from work_orders.domain.incidents import how_many, waits
from work_orders.domain.money import Costs, money
from work_orders.domain.risk import interpolate
from work_orders.domain.words import duration, percent

UNCONFIRMED = (
    "nobody has confirmed yet that the machine was healthy while its usual values were learned, so a dispatcher decides"
)


class Autonomy(StrEnum):
    """What the product may do by itself for an asset model and a customer."""

    WATCH = "watch"
    PROPOSE = "propose"
    AUTOMATIC = "automatic"


class Verdict(StrEnum):
    """What a forecast led to."""

    NO_TREND = "no_trend"
    WAIT = "wait"
    HOLD = "hold"
    """Acting is the cheaper choice, but not yet for long enough."""
    ACT = "act"
    DECIDED = "decided"
    """The case was decided before."""


class Path(StrEnum):
    """How a decision to act goes on."""

    WATCH = "watch"
    APPROVAL = "approval"
    AUTOMATIC = "automatic"
    REMOTE = "remote"
    """It is tried from afar first."""
    GATHERED = "gathered"
    """It waits for the one decision about its incident."""


@dataclass(frozen=True, slots=True)
class Afar:
    """What may mend it without a visit. `hours` are those for which it may (still) be tried."""

    remedy: str
    works: float
    cost: Cost
    hours: float
    trying: bool = False


@dataclass(frozen=True, slots=True)
class Inputs:
    """All that a decision rests on; `in_row` counts the forecasts before this one for which acting was cheaper."""

    what: str
    unit: str
    """In what people count its life: `h` or `cycles`."""
    risk_hours: tuple[float, ...]
    risk: tuple[float, ...]
    horizon_hours: float
    consecutive: int
    costs: Costs
    in_row: int
    decided: bool
    autonomy: Autonomy
    approval_limit: float
    orders_in_a_day: int
    assets: int
    brake_per_100: float
    has_customer: bool
    belief: float = 1.0
    """Factor on P(failure) from remote checks and from visits that found nothing, at most 1."""
    trust: float = 1.0
    """The part of it that comes from visits that found nothing."""
    evidence: str = ""
    """What they showed, in words; empty = there were none."""
    baseline_confirmed: bool = True
    """Whether what the machine is compared with counts as healthy; if not, nothing is done without a person."""
    gathered: int = 0
    """Open cases of the incident that it belongs to, whose cause is another machine; 0 = it decides for itself."""
    afar: Afar | None = None
    """None = nothing is known that could be done from afar, or it was tried."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A decision in one sentence. `p` is None without a trend; `path` is None unless the verdict is `act`."""

    verdict: Verdict
    p: float | None
    gain: float | None
    in_row: int
    path: Path | None
    brake: bool
    sentence: str


def brake_limit(assets: int, per_100: float) -> int:
    """Orders that may be opened in a day without a person: `per_100` for 100 assets, one at least."""
    return max(1, math.ceil(assets * per_100 / 100))


def decide(of: Inputs) -> Outcome:
    """Decide. Equal inputs give the equal outcome."""
    p = interpolate(of.risk_hours, of.risk, of.horizon_hours)
    p = None if p is None else p * of.belief
    if p is None:
        verdict = Verdict.DECIDED if of.decided else Verdict.NO_TREND
        return Outcome(verdict, None, None, 0, None, False, f"Wait: {of.what} shows no trend yet.")
    costs, c = of.costs, of.costs.currency
    gain = worth.gain(p, costs.failure.total, costs.planned.total)
    cheaper = worth.acts(p, costs.failure.total, costs.planned.total, costs.false_visit.total)
    in_row = of.in_row + 1 if cheaper else 0
    sums = (
        f"{percent(p)} chance that {of.what} leads to a failure within {duration(of.horizon_hours, of.unit)}"
        f" x ({money(costs.failure.total, c)} failure - {money(costs.planned.total, c)} planned visit)"
        f" = {money(gain, c)}, {'more' if cheaper else 'not more'} than the"
        f" {money(costs.false_visit.total, c)} of a visit for nothing"
    )
    if of.evidence:
        sums += f"; {of.evidence}"
    if of.decided:
        return Outcome(Verdict.DECIDED, p, gain, in_row, None, False, f"Decided before; now {sums}.")
    if not cheaper:
        return Outcome(Verdict.WAIT, p, gain, 0, None, False, f"Wait: {sums}.")
    if in_row < of.consecutive:
        counted = f"{in_row} of {of.consecutive} forecasts in a row"
        return Outcome(Verdict.HOLD, p, gain, in_row, None, False, f"Wait for {counted}: {sums}.")
    path, brake, why = route(of)
    if of.afar is not None and path in (Path.AUTOMATIC, Path.APPROVAL):
        visit = worth.visit(p, costs.planned.total, costs.false_visit.total)
        afar = _from_afar(of, of.afar, p)
        if afar < visit:
            why = (
                f"{of.afar.remedy} from afar is expected to cost {money(afar, c)} with all that may follow"
                f" ({percent(of.afar.works)} chance that it works), less than the {money(visit, c)} of a visit now"
            )
            if of.afar.trying:
                return Outcome(Verdict.WAIT, p, gain, in_row, None, False, f"Wait while it is tried: {sums}; {why}.")
            path, brake = Path.REMOTE, False
    bearers = (
        f"a failure costs the customer {money(costs.failure.customer, c)} and the provider"
        f" {money(costs.failure.provider, c)}, the visit {money(costs.planned.customer, c)} and"
        f" {money(costs.planned.provider, c)}"
    )
    sentence = f"Act: {sums}, for {in_row} forecasts in a row; {bearers}; {why}."
    return Outcome(Verdict.ACT, p, gain, in_row, path, brake, sentence)


def _from_afar(of: Inputs, afar: Afar, p: float) -> float:
    meanwhile = min(p, (interpolate(of.risk_hours, of.risk, afar.hours) or 0.0) * of.belief)
    failure, planned, false_visit = of.costs.failure.total, of.costs.planned.total, of.costs.false_visit.total
    return worth.from_afar(p, meanwhile, afar.cost.total, afar.works, failure, planned, false_visit)


def route(of: Inputs) -> tuple[Path, bool, str]:
    """How a decision to act goes on, whether the brake stopped it, and why in words."""
    if of.autonomy is Autonomy.WATCH:
        return Path.WATCH, False, "set to watch only, so nobody is told"
    if waits(of.gathered):
        return Path.GATHERED, False, f"one of {how_many(of.gathered)} with one cause, which are decided together"
    limit = brake_limit(of.assets, of.brake_per_100)
    if of.orders_in_a_day >= limit:
        many = f"{of.orders_in_a_day} orders within a day for {of.assets} machines, {limit} may go without a person"
        return Path.APPROVAL, True, f"the brake holds it for a person ({many})"
    if not of.baseline_confirmed:
        return Path.APPROVAL, False, UNCONFIRMED
    if of.autonomy is Autonomy.PROPOSE:
        return Path.APPROVAL, False, "a dispatcher decides"
    if of.costs.planned.total > of.approval_limit:
        return Path.APPROVAL, False, f"above {money(of.approval_limit, of.costs.currency)} a dispatcher decides"
    if not of.has_customer:
        return Path.APPROVAL, False, "no customer is on record, so a dispatcher decides"
    return Path.AUTOMATIC, False, "the customer is asked"
