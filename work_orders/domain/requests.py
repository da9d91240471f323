"""What can ask for service: kinds of requests, who may bring them, and which open case one of them joins."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from work_orders.domain.case_states import CaseState
from work_orders.domain.machine import NotPermitted, Role


class RequestKind(StrEnum):
    """Where a request comes from; a case has the kind of the first one."""

    FORECAST = "forecast"
    REPORT = "report"
    PHONE = "phone"
    BREAKDOWN = "breakdown"
    COMPLAINT = "complaint"
    PREVENTIVE = "preventive"
    RECALL = "recall"
    EMAIL = "email"
    EXTERNAL = "external"


_K = RequestKind
_OFFICE = (Role.DISPATCHER, Role.ADMIN, Role.SYSTEM)
_INSIDE = (Role.TECHNICIAN, Role.ENGINEER, *_OFFICE)
MAY: dict[RequestKind, frozenset[Role]] = {
    _K.FORECAST: frozenset({Role.SYSTEM}),
    _K.REPORT: frozenset({Role.CUSTOMER, *_INSIDE}),
    _K.PHONE: frozenset(_INSIDE),
    _K.BREAKDOWN: frozenset({Role.CUSTOMER, Role.INTEGRATION, *_INSIDE}),
    _K.COMPLAINT: frozenset({Role.CUSTOMER, Role.INTEGRATION, *_INSIDE}),
    _K.PREVENTIVE: frozenset({Role.ENGINEER, *_OFFICE}),
    _K.RECALL: frozenset({Role.ENGINEER, *_OFFICE}),
    _K.EMAIL: frozenset(_OFFICE),
    _K.EXTERNAL: frozenset({Role.INTEGRATION, *_OFFICE}),
}
FROM_PEOPLE = frozenset({_K.REPORT, _K.PHONE, _K.BREAKDOWN, _K.COMPLAINT, _K.EMAIL, _K.EXTERNAL})

WHOLE = ""
"""The component of a case whose request names none: the whole machine, nobody knows yet."""
COMPLAINT = "complaint"
"""Stands for the component of complaints: each asset has at most one open, beside its technical cases."""
UPKEEP = "preventive"
"""Stands for the component of preventive jobs: each asset has at most one such case, beside its technical ones."""


def may_bring(kind: RequestKind, role: Role) -> None:
    """Raises NotPermitted when a role cannot bring requests of a kind."""
    if role not in MAY[kind]:
        raise NotPermitted(role, f"bring a request of the kind {kind}", MAY[kind])


@dataclass(frozen=True, slots=True)
class OpenCase:
    """An open case of the asset."""

    id: str
    component: str
    state: CaseState


def joins(kind: RequestKind, component: str, open_cases: Sequence[OpenCase]) -> str | None:
    """The open case of the same asset that a request joins; None = it needs a case of its own.

    The same component always (the database allows no second one). Who names no component is understood to mean the one
    technical case that is open, if it is the only one and nobody has repaired anything yet.
    """
    for case in open_cases:
        if case.component == component:
            return case.id
    technical = [c for c in open_cases if c.component not in (COMPLAINT, UPKEEP)]
    if component == WHOLE and kind in FROM_PEOPLE and len(technical) == 1:
        (only,) = technical
        if only.state not in (CaseState.RESOLVED, CaseState.VERIFYING):
            return only.id
    return None
