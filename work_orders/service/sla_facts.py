"""What the rows of a case say to its SLA clocks: whether anybody is waited on, who answered, came, mended."""

from dataclasses import dataclass
from datetime import datetime

from work_orders.domain.case_states import OUT, CaseState, VisitState
from work_orders.domain.job import priority_of
from work_orders.domain.order_states import OrderState
from work_orders.domain.report_reader import URGENCY
from work_orders.domain.requests import RequestKind
from work_orders.domain.sla import Metric
from work_orders.service import tables as t
from work_orders.service.unit import Row, Unit

_WATCHED = (CaseState.DETECTED, CaseState.TRIAGING, CaseState.MONITORING, CaseState.REMOTE_FIX)
_ENDED = (CaseState.DECLINED, CaseState.MERGED, CaseState.CLOSED, CaseState.RESOLVED, CaseState.VERIFYING)
_MENDED = (OrderState.WORK_DONE, OrderState.REVIEW, OrderState.CLOSED)
_THERE = (VisitState.ON_SITE, VisitState.DONE)


@dataclass(frozen=True)
class Facts:
    """The case with what belongs to it."""

    case: Row
    kind: str
    tier: str
    priority: str
    place: tuple[str, str, str]
    """Time zone, country and own calendar of the site."""
    orders: list[Row]
    notices: list[Row]
    visits: list[Row]

    @property
    def asked(self) -> bool:
        """Whether anything is promised now: of a forecast only once somebody has to act on it."""
        state = CaseState(self.case.state)
        return state not in _ENDED and not (self.kind == RequestKind.FORECAST and state in _WATCHED)

    @property
    def over(self) -> bool:
        """Whether the case waits for nobody any more."""
        return CaseState(self.case.state) in _ENDED

    def mended(self, since: datetime) -> bool:
        """The work is done, or the case was solved without any."""
        case = self.case
        if case.state in (CaseState.RESOLVED, CaseState.VERIFYING):
            return True
        if case.state == CaseState.CLOSED and case.outcome not in ("cleared", "running"):
            return True
        return any(o.state in _MENDED and o.finished_at is not None and o.finished_at >= since for o in self.orders)

    def came(self, since: datetime) -> bool:
        """A technician was there."""
        began = any(o.started_at is not None and o.started_at >= since for o in self.orders)
        return began or any(v.state in _THERE and v.ended_at is None for v in self.visits)

    def answered(self, since: datetime) -> bool:
        """The customer was told, a visit is agreed, or the office has decided where nobody has to be told."""
        if any(n.sent_at is not None and n.sent_at >= since for n in self.notices):
            return True
        mine = [o for o in self.orders if o.opened_at >= since]
        if any(v.ended_at is None and v.order_id == o.id for v in self.visits for o in mine):
            return True
        if self.case.state == CaseState.MONITORING and any(o.state == OrderState.CANCELLED for o in mine):
            return True
        waiting = (OrderState.DRAFT, OrderState.AWAITING_APPROVAL)
        return self.case.customer_id is None and any(o.state not in waiting for o in mine)

    def stops(self, metric: Metric, since: datetime) -> bool:
        """Whether what is promised has come; who is there has answered, what is mended was come to."""
        if self.mended(since):
            return True
        if metric is Metric.RESTORE:
            return False
        return self.came(since) or (metric is Metric.RESPONSE and self.answered(since))

    def waits(self) -> dict[str, str]:
        """What is waited for now: reasons by their source."""
        made: dict[str, str] = {}
        if self.case.state in (CaseState.CUSTOMER_CONTACTED, CaseState.REMINDED):
            made |= {f"notice:{n.id}": "customer" for n in self.notices if n.state in OUT}
        for order in self.orders:
            if order.state == OrderState.ON_HOLD:
                made[f"order:{order.id}"] = order.reason.split(":")[0].strip()[:32]
        return made


def only_watched(case: Row) -> bool:
    """A forecast that nobody has to act on yet."""
    return case.kind == RequestKind.FORECAST and case.broke_down_at is None and case.state in _WATCHED


def facts_of(work: Unit, case: Row) -> Facts:
    """Read them."""
    asset = work.one(t.assets, case.asset_id, "asset")
    tier = work.one(t.customers, asset.customer_id, "customer").tier if asset.customer_id else ""
    site = work.one(t.sites, asset.site_id, "site") if asset.site_id else None
    orders = work.those(t.orders, case_id=case.id)
    notices = work.those(t.notices, case_id=case.id)
    visits = work.all(t.visits, t.visits.c.order_id.in_([o.id for o in orders])) if orders else []
    broken = case.broke_down_at is not None
    kind = RequestKind.BREAKDOWN if broken and case.kind != RequestKind.COMPLAINT else RequestKind(case.kind)
    live = next((o for o in orders if o.ended_at is None), None)
    priority = live.priority if live else priority_of(broken, case.urgent in URGENCY, asset.criticality)
    place = (site.time_zone or "UTC", site.country or "", site.calendar or "") if site is not None else ("UTC", "", "")
    return Facts(case, str(kind), tier or "", priority, place, orders, notices, visits)
