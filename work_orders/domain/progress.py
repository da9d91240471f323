"""How far a case is, in plain sentences for the customer: from the states that there are, nothing of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from work_orders.domain.case_states import CaseState, VisitState
from work_orders.domain.order_states import OrderState


@dataclass(frozen=True, slots=True)
class VisitFact:
    """A visit: its state, when it is, who comes."""

    state: VisitState
    words: str
    technician: str
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """What is known of a case; None = has not happened."""

    state: CaseState
    asset: str
    kind: str
    opened_at: datetime
    seen_at: datetime | None
    proposed_at: datetime | None
    answered_at: datetime | None
    order: OrderState | None
    started_at: datetime | None
    finished_at: datetime | None
    visits: Sequence[VisitFact]
    result: str
    closed_at: datetime | None
    declined: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the way: `at` when it was reached (None = not noted), `done` or still to come."""

    name: str
    text: str
    done: bool
    at: datetime | None = None


RESULTS = {
    "true": "The fault was there, and is repaired.",
    "prevented": "A failure was prevented.",
    "false": "Nothing was wrong: our forecast was mistaken.",
    "missed": "The machine had failed.",
    "unknown": "What it was cannot be said.",
}
_OVER = (VisitState.CANCELLED, VisitState.REJECTED)
_UNDER_WAY = (VisitState.EN_ROUTE, VisitState.ON_SITE, VisitState.DONE, VisitState.NO_ACCESS, VisitState.INCOMPLETE)


def steps(facts: CaseFacts) -> tuple[Step, ...]:
    """The way of a case, what is behind first; what can no longer come is left out."""
    by_people = facts.kind not in ("forecast", "preventive", "recall")
    first = "You reported it." if by_people else f"We saw a change in {facts.asset}."
    if facts.kind == "preventive":
        first = f"Upkeep of {facts.asset} is due."
    elif facts.kind == "recall":
        first = f"{facts.asset} is part of a recall."
    out = [Step("reported" if by_people else "seen", first, True, facts.opened_at)]
    if facts.state is CaseState.MERGED:
        return (*out, Step("merged", "It is dealt with together with another case.", True, facts.closed_at))
    if facts.seen_at is not None:
        out.append(Step("judged", "We looked at it and decided to propose a visit.", True, facts.seen_at))
    if facts.proposed_at is not None:
        out.append(Step("proposed", "We proposed a visit to you.", True, facts.proposed_at))
    if facts.state is CaseState.DECLINED or facts.declined:
        said = f": {facts.declined}" if facts.declined else ""
        return (*out, Step("declined", f"You declined{said}. We keep watching.", True, facts.answered_at))
    visit = next((v for v in reversed(facts.visits) if v.state not in _OVER), None)
    over = facts.closed_at is not None
    out.extend(_visit(facts, visit, over))
    done = facts.finished_at is not None or bool(facts.result)
    if done or not over:
        text = "The work is done." if done else "The work is done, and you read what was found."
        out.append(Step("done", f"{text} {RESULTS.get(facts.result, '')}".strip(), done, facts.finished_at))
    if over and not done:
        text = "It was settled without a visit."
        if facts.kind == "forecast":
            text = "The signs went away by themselves: nothing needs to be done."
        out.append(Step("cleared", text, True, facts.closed_at))
    elif facts.state is CaseState.VERIFYING:
        out.append(Step("verified", "We are checking from its readings that it stays fixed.", False))
    else:
        text = "It is settled." if over else "We check afterwards that it stays fixed."
        out.append(Step("verified", text, over, facts.closed_at))
    return tuple(out)


def _visit(facts: CaseFacts, visit: VisitFact | None, over: bool) -> list[Step]:
    if visit is None:
        ended = over or facts.finished_at is not None
        return [] if ended else [Step("booked", "A visit is booked once you choose a half day.", False)]
    out = [Step("booked", f"{visit.technician} comes on {visit.words}.", True, facts.answered_at)]
    if visit.state is VisitState.NO_ACCESS:
        return [*out, Step("no_access", "We came, but could not get in: please call us.", True, visit.ended_at)]
    on_site = visit.state in _UNDER_WAY[1:] or facts.started_at is not None
    way = visit.state in _UNDER_WAY or on_site
    text = "is on the way" if visit.state is VisitState.EN_ROUTE else "sets out on that day"
    if not on_site:
        out.append(Step("on_the_way", f"{visit.technician} {text}.", way))
    out.append(Step("on_site", f"{visit.technician} {'is' if on_site else 'will be'} at the machine.", on_site,
                    facts.started_at))  # fmt: skip
    if facts.order is OrderState.ON_HOLD:
        out.append(Step("on_hold", "The work waits: we will say when it goes on.", True))
    if visit.state is VisitState.INCOMPLETE:
        out.append(Step("incomplete", "The work could not be finished: we come again.", True, visit.ended_at))
    return out
