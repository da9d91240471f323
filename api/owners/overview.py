"""What happened over time: the figures of service, and one view of a customer."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from api.owners.condition import NOTHING, conditions
from api.problems import bad_field, not_found
from api.roles import Principal
from api.views import Line
from plumbing.runtime import Shared
from work_orders.queries import customers
from work_orders.queries.customer import CustomerView, Told, customer_timeline, customer_view
from work_orders.queries.measured import FAIR, SIDES, Measured, Share, fairness, measured
from work_orders.queries.names import in_names, names
from work_orders.service.measures import NAMED

SPANS = {"month": timedelta(days=30), "quarter": timedelta(days=91), "year": timedelta(days=365), "all": None}
"""How far back figures go."""
__all__ = ["FAIR", "SIDES", "SPANS", "Overview", "Seen"]


@dataclass(frozen=True, slots=True)
class Seen:
    """A customer with the health of his machines by asset id (0 to 100, None = not known), ids in texts as names."""

    customer: CustomerView
    health: dict[str, float | None]


class Overview:
    """Questions only."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def figures(self, who: Principal, span: str, *, months: bool = True) -> list[Measured]:
        """All figures over a span. Raises Problem for a span unknown."""
        now, since = self._since(who, span)
        with self._shared.database.read() as connection:
            return measured(connection, who.tenant, now, since=since, months=months)

    def shares(self, who: Principal, figure: str, by: str, span: str) -> list[Share]:
        """One figure by groups of customers. Raises Problem for a name unknown."""
        if figure not in NAMED:
            raise not_found("figure")
        if by not in SIDES:
            raise bad_field("by", by, f"one of {', '.join(SIDES)}")
        now, since = self._since(who, span)
        with self._shared.database.read() as connection:
            return fairness(connection, who.tenant, figure, by, now, since)

    def customers(self, who: Principal) -> Sequence[tuple[str, str]]:
        """Ids and names."""
        with self._shared.database.read() as connection:
            return [(p.id, p.name) for p in customers(connection, who.tenant)]

    def customer(self, who: Principal, id: str) -> Seen:
        """One customer whole. Raises Problem."""
        with self._shared.database.read() as connection:
            found = customer_view(connection, who.tenant, id)
        if found is None:
            raise not_found("customer")
        states = conditions(self._shared.database, who.tenant)
        return Seen(found, {a.id: states.get(a.device, NOTHING).health for a in found.assets})

    def timeline(self, who: Principal, id: str, before: int | None, limit: int = 50) -> tuple[list[Told], int | None]:
        """A page of a customer's timeline. Raises Problem."""
        if id not in {known for known, _ in self.customers(who)}:
            raise not_found("customer")
        with self._shared.database.read() as connection:
            return customer_timeline(connection, who.tenant, id, before=before, limit=limit)

    def lines(self, who: Principal, page: Sequence[Told]) -> list[Line]:
        """The timeline for people: names for ids."""
        with self._shared.database.read() as connection:
            known = names(connection, who.tenant)
        return [
            Line(
                m.event.at, m.event.action, in_names(m.event.text, known), known.get(m.event.actor, m.event.actor),
                f"/assets/{m.asset}" if m.asset else "",
            )
            for m in page
        ]  # fmt: skip

    def _since(self, who: Principal, span: str) -> tuple[datetime, datetime | None]:
        if span not in SPANS:
            raise bad_field("span", span, f"one of {', '.join(SPANS)}")
        now = self._shared.clocks.of(who.tenant).now()
        back = SPANS[span]
        return now, None if back is None else now - back
