"""Costs by bearer: what a failure, a planned visit and a visit for nothing cost, and the bills of both outcomes."""

from dataclasses import dataclass

from contracts.asset_model import AssetModel, Cost, FailureMode


def money(amount: float, currency: str) -> str:
    """An amount as people write it: `9,000 EUR`."""
    return f"{amount:,.0f} {currency}"


@dataclass(frozen=True, slots=True)
class Costs:
    """The three costs that a decision weighs, as they were when it was made."""

    currency: str
    failure: Cost
    planned: Cost
    false_visit: Cost
    covered: bool

    @classmethod
    def of(cls, model: AssetModel, mode: FailureMode) -> "Costs":
        """Costs of a failure mode."""
        return cls(model.currency, mode.failure, mode.planned, mode.false_visit, mode.covered)


@dataclass(frozen=True, slots=True)
class Bill:
    """What one outcome costs, by bearer, and how the figure comes about."""

    outcome: str
    customer: float
    provider: float
    total: float
    currency: str
    formula: str


def bill(outcome: str, costs: Costs) -> Bill | None:
    """The bill of an outcome: `failed`, `prevented`, `found_nothing`; None where nothing was spent or it is unknown."""
    match outcome:
        case "failed":
            cost, name = costs.failure, "unplanned failure"
        case "prevented":
            cost, name = costs.planned, "planned visit"
        case "found_nothing":
            cost, name = costs.false_visit, "visit that found nothing"
        case _:
            return None
    c = costs.currency
    formula = (
        f"{name} = {money(cost.customer, c)} (customer) + {money(cost.provider, c)} (provider) = {money(cost.total, c)}"
    )
    return Bill(outcome, cost.customer, cost.provider, cost.total, c, formula)


@dataclass(frozen=True, slots=True)
class ExpectedCost:
    """What is to be expected if the visit takes place by then (or never): money by bearer."""

    hours: float
    p: float
    customer: float
    provider: float

    @property
    def total(self) -> float:
        """All bearers together."""
        return self.customer + self.provider


def expected_with_visit(p: float, hours: float, costs: Costs) -> ExpectedCost:
    """Expected cost when a visit stands at the end of `hours`: p x failure + (1 - p) x planned."""
    customer = p * costs.failure.customer + (1 - p) * costs.planned.customer
    provider = p * costs.failure.provider + (1 - p) * costs.planned.provider
    return ExpectedCost(hours, p, customer, provider)


def expected_without_visit(p: float, hours: float, costs: Costs) -> ExpectedCost:
    """Expected cost when nobody comes within `hours`: p x failure."""
    return ExpectedCost(hours, p, p * costs.failure.customer, p * costs.failure.provider)
