"""Requests, incidents, recalls and visits for programs."""

from typing import Any, Literal

from fastapi import APIRouter
from pydantic import AwareDatetime, Field
from starlette.responses import Response

from api.guard import Who
from api.json.answers import answer
from api.json.commands import Body
from api.json.headers import Key, Match
from api.owners.jobs import Jobs
from api.owners.versions import INCIDENT, ORDER, RECALL, REQUEST, expect, numbered
from api.problems import bad_field, not_found
from api.roles import Principal, Role
from api.web import Web
from work_orders.domain.requests import RequestKind
from work_orders.service.door import Request

OURS = ("forecast", "label", "recall", "mail", "web", "key")
"""Sources that number by themselves, up to a colon: what somebody else numbered so would be taken for theirs."""


class RequestBody(Body):
    """Something that asks for service. `external` is your number for it: the same number again is the same request;
    an `Idempotency-Key` does the same where you have none."""

    kind: Literal["report", "phone", "complaint", "breakdown", "email", "external", "preventive", "recall"] = "report"
    asset: str = Field("", max_length=64, description="empty = not known")
    component: str = Field("", max_length=64)
    failure_mode: str = Field("", max_length=64)
    text: str = Field("", max_length=4000)
    who: str = Field("", max_length=200)
    contact: str = Field("", max_length=200)
    source: str = Field("", max_length=40)
    external: str = Field("", max_length=160)
    cause: str = Field("", max_length=200, description="requests of one cause make one incident")
    at: AwareDatetime | None = None


class PlaceBody(Body):
    """Which machine a request is about."""

    asset: str = Field(max_length=64)
    component: str = Field("", max_length=64)


class CasesBody(Body):
    """Which cases; empty = all that wait."""

    cases: list[str] = Field(default_factory=list, max_length=5000)


class RecallBody(Body):
    """Machines of a model; of those only whose serial number begins with one of `serials`, if any are given."""

    name: str = Field(max_length=100)
    text: str = Field("", max_length=1000)
    model: str = Field(max_length=64)
    serials: list[str] = Field(default_factory=list, max_length=1000)
    component: str = Field("", max_length=64)


class VisitBody(Body):
    """Why, for reject, no_access and break_off."""

    reason: str = Field("", max_length=300)


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""
    jobs, owners = Jobs(web.shared), web.owners

    def going_on(who: Principal, incident: str | None = None) -> list[dict[str, Any]]:
        return numbered(web.shared.database, RECALL, who, jobs.recalls(who, incident), "name")

    @router.get("/api/v1/requests", tags=["service"])
    def requests(who: Who, unplaced: bool = False) -> Response:
        """What asked for service, the newest 100."""
        found = jobs.requests(who, unplaced=unplaced)
        return answer({"items": numbered(web.shared.database, REQUEST, who, found, "id"), "next": None})

    @router.post("/api/v1/requests", tags=["service"])
    def bring(who: Who, body: RequestBody, key: Key = "") -> Response:
        """Bring a request: it joins the open case of its asset and component, or opens one."""
        if body.asset and owners.asset(who, body.asset) is None:
            raise not_found("asset")
        source = body.source or (f"key:{who.account}"[:64] if key and not body.external else "")
        if who.role is Role.CUSTOMER:  # numbers of his own, whatever he calls their source
            source = f"key:{who.account}"[:64]
        elif body.source.partition(":")[0] in OURS:
            raise bad_field("source", body.source, f"must be none of {', '.join(OURS)}")
        opened = jobs.bring(
            who,
            Request(
                RequestKind(body.kind), body.asset, body.component, body.failure_mode, body.text, body.who,
                body.contact, "api", source, body.external or key, f"api:{body.cause}" if body.cause else "", body.at,
            ),
        )  # fmt: skip
        return answer(opened, 200 if opened.repeated else 201)

    @router.post("/api/v1/requests/{request_id}/place", tags=["service"])
    def place(who: Who, request_id: str, body: PlaceBody, match: Match) -> Response:
        """Say which machine a request is about."""
        expect(REQUEST, match, who, request_id)
        return answer({"case": jobs.place(who, request_id, body.asset, body.component)})

    @router.get("/api/v1/cases/{case}/words", tags=["service"])
    def words(who: Who, case: str) -> Response:
        """What people's words say of a case: symptom, urgency, component, each with the words that make it."""
        found = jobs.words_say(who, case)
        if found is None:
            raise not_found("words of a case")
        return answer(found)

    @router.get("/api/v1/incidents", tags=["service"])
    def incidents(who: Who) -> Response:
        """Many cases that share a cause, those that are open first; recalls that are going on."""
        return answer({"items": jobs.incidents(who), "next": None, "recalls": going_on(who)})

    @router.get("/api/v1/incidents/{incident}", tags=["service"])
    def incident(who: Who, incident: str) -> Response:
        """An incident with its cases, the cause first."""
        found, members = jobs.incident(who, incident)
        return answer(
            {"incident": found, "cases": members, "recalls": going_on(who, incident), "version": found.version}
        )

    @router.post("/api/v1/incidents/{incident}/{action}", tags=["service"])
    def move(who: Who, incident: str, action: str, body: CasesBody, match: Match) -> Response:
        """`release`: let the orders go that wait; `dissolve`: each case decides for itself."""
        expect(INCIDENT, match, who, incident)
        return answer({"cases": jobs.move_incident(who, incident, action, body.cases)})

    @router.post("/api/v1/recalls", tags=["service"])
    def recall(who: Who, body: RecallBody, match: Match) -> Response:
        """Recall machines: one incident, a case each. The same name again adds what has come since. Of many machines
        the first are done in the answer, the others follow: `seen` of `machines` so far, as the incident shows.
        `If-Match` is about the recall of this name (0 = there must be none)."""
        expect(RECALL, match, who, body.name.strip())
        return answer(jobs.recall(who, body.name, body.text, body.model, " ".join(body.serials), body.component), 201)

    @router.post("/api/v1/work-orders/{order}/visit/{action}", tags=["service"])
    def visit(who: Who, order: str, action: str, body: VisitBody, match: Match) -> Response:
        """accept, reject, set_out, arrive, no_access, break_off; `If-Match` is about the work order."""
        expect(ORDER, match, who, order)
        jobs.visit(who, order, action, body.reason)
        return answer(owners.order(who, order))
