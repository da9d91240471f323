"""What somebody at a machine may tap, and how far his report has come, in his words."""

from work_orders.domain.case_states import CaseState
from work_orders.domain.order_states import OrderState
from work_orders.domain.requests import RequestKind

SYMPTOMS = {
    "noise": "It is louder, or shakes",
    "leak": "It leaks",
    "hot": "It gets hot, or smells",
    "weak": "It does less than it should",
    "stands": "It stands still",
    "other": "Something else",
}


def own_words(text: str) -> str:
    """What somebody wrote himself, without what he tapped."""
    for tapped in SYMPTOMS.values():
        if text == tapped or text.startswith(f"{tapped}. "):
            return text.removeprefix(tapped).removeprefix(".").strip()
    return text


def kind_of(symptom: str) -> RequestKind:
    """A machine that stands still has broken down; everything else is a report."""
    return RequestKind.BREAKDOWN if symptom == "stands" else RequestKind.REPORT


_ORDER = {
    OrderState.ON_HOLD: "The work has stopped for now and goes on later.",
    OrderState.IN_PROGRESS: "A technician is at work on it.",
    OrderState.WORK_DONE: "The work is done; the report is being written.",
    OrderState.REVIEW: "The work is done; the report is being checked.",
}
_CASE = {
    CaseState.RESOLVED: "The work is done.",
    CaseState.VERIFYING: "The work is done; the machine is being watched to see whether it stays well.",
    CaseState.CLOSED: "It is done.",
    CaseState.REMOTE_FIX: "We are trying to solve it from afar.",
}


def stands(case: str | None, order: str | None, visit: str, language: str = "en") -> str:
    """How far a report has come, in one sentence; `visit` is the agreed half day in words, if there is one."""
    if case is None:
        return "We have your report. We are finding out which machine it is about."
    if case in _CASE:
        return _CASE[CaseState(case)]
    if order in _ORDER:
        return _ORDER[OrderState(order)]
    if visit:
        return f"技术人员将于 {visit}上门。" if language == "zh" else f"A technician comes on {visit}."
    if order is not None:
        return "We are arranging a visit."
    return "We have your report and are looking at it."
