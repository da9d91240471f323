"""Commands: answers of customers, moves of orders and cases, findings, devices, the demo's clock."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from api.clockwork import set_clock
from api.guard import Who
from api.json.answers import answer
from api.json.headers import Match
from api.owners.commands import BY_HAND
from api.owners.jobs import Jobs
from api.owners.versions import CLOCK, DEVICE, ORDER, expect
from api.problems import not_found
from api.web import Web


class Body(BaseModel):
    """A body that has no other fields than these."""

    model_config = ConfigDict(extra="forbid")

    def fields(self) -> dict[str, str]:
        """As the owners' commands take them: what was given, as text."""
        given = self.model_dump(exclude_none=True)
        return {k: str(v).lower() if isinstance(v, bool) else str(v) for k, v in given.items()}


class AnswerBody(Body):
    """An answer to a notice. `slot` as the notice lists it; `day` and `half` (am, pm) of a proposal."""

    slot: str | None = None
    reason: str | None = Field(None, max_length=500)
    day: str | None = None
    half: Literal["am", "pm"] | None = None


class MoveBody(Body):
    """What goes with a move of an order or a case."""

    reason: str | None = Field(None, max_length=500)
    technician: str | None = None
    version: int | None = None
    agreed_by: str | None = Field(None, max_length=200)
    day: str | None = None
    half: Literal["am", "pm"] | None = None
    into: str | None = Field(None, max_length=80)


class TaskBody(Body):
    """What goes with a step of the checklist: what was measured, or why it was skipped."""

    result: str = Field("", max_length=300)


class FindingBody(Body):
    """What the technician found."""

    result: Literal["true", "false", "prevented", "missed", "unknown"]
    failure_mode: str = ""
    as_found: str = Field("", max_length=4000)
    replaced: bool | None = None
    serial: str = Field("", max_length=100, description="of the part that was put in")


class BreakdownBody(Body):
    """A machine that broke down. `at` (RFC 3339) defaults to now."""

    failure_mode: str = Field(max_length=64)
    at: str | None = Field(None, max_length=40)
    as_found: str = Field("", max_length=4000)
    replaced: bool | None = None


class DeviceBody(Body):
    """A device to register."""

    device: str
    model: str


class ClockBody(Body):
    """How the demo's clock goes on: pause, resume, or another factor."""

    action: Literal["pause", "resume", "factor"]
    factor: float | None = Field(None, ge=0, le=100_000)


def version(match: int | None) -> dict[str, str]:
    """The version of an `If-Match` header, as a field."""
    return {} if match is None else {"version": str(match)}


def routes(web: Web, router: APIRouter) -> None:
    """Put these routes on the router."""
    owners, jobs = web.owners, Jobs(web.shared)
    root = "/api/v1"

    @router.get(f"{root}/notices/{{notice}}", tags=["work"], summary="A notice; its ETag is the version to answer")
    def notice(who: Who, notice: str) -> Response:
        return _or_404(owners.notice(who, notice), "notice")

    @router.get(f"{root}/work-orders/{{order}}", tags=["work"], summary="A work order; ETag = its version")
    def order(who: Who, order: str) -> Response:
        return _or_404(owners.order(who, order), "work order")

    @router.get(f"{root}/cases/{{case}}", tags=["work"], summary="A case with its decisions; ETag = its version")
    def case(who: Who, case: str) -> Response:
        return _or_404(owners.case(who, case), "case")

    @router.post(
        f"{root}/notices/{{notice}}/{{reply}}", tags=["work"],
        summary="Answer a notice: accept, decline, propose, call-me; afterwards another-day, call-off",
    )  # fmt: skip
    def answer_notice(who: Who, notice: str, reply: str, match: Match, body: AnswerBody | None = None) -> Response:
        found = owners.answer(who, notice, reply, {**(body.fields() if body else {}), **version(match)})
        return _or_404(found, "notice")

    @router.post(f"{root}/work-orders/{{order}}/finding", tags=["work"], summary="Record what was found")
    def finding(who: Who, order: str, body: FindingBody, match: Match) -> Response:
        return _or_404(owners.find(who, order, {**body.fields(), **version(match)}), "work order")

    @router.post(
        f"{root}/work-orders/{{order}}/{{action}}", tags=["work"], summary="Move a work order; 409 when it cannot"
    )
    def move_order(who: Who, order: str, action: str, match: Match, body: MoveBody | None = None) -> Response:
        fields = {**(body.fields() if body else {}), **version(match)}
        return _or_404(owners.move_order(who, order, action, fields), "work order")

    @router.post(
        f"{root}/work-orders/{{order}}/tasks/{{n}}/{{action}}", tags=["work"],
        summary="Take a step of the checklist: begin, do, skip, fail",
    )  # fmt: skip
    def task(who: Who, order: str, n: int, action: str, match: Match, body: TaskBody | None = None) -> Response:
        expect(ORDER, match, who, order)
        return _or_404(owners.do_task(who, order, n, action, body.result if body else ""), "work order")

    @router.post(f"{root}/cases/{{case}}/{{action}}", tags=["work"], summary="Move a case; 409 when it cannot")
    def move_case(who: Who, case: str, action: str, match: Match, body: MoveBody | None = None) -> Response:
        """approve, reject, order, solve, not-solved, merge (`into`), unmerge."""
        fields = {**(body.fields() if body else {}), **version(match)}
        if action in BY_HAND:
            if owners.case(who, case) is None:
                raise not_found("case")
            jobs.move_case(who, case, action, fields)
            return _or_404(owners.case(who, case), "case")
        return _or_404(owners.move_case(who, case, action, fields), "case")

    @router.post(f"{root}/assets/{{asset}}/breakdown", tags=["work"], summary="Report that a machine broke down")
    def break_down(who: Who, asset: str, body: BreakdownBody) -> Response:
        case = owners.break_down(who, asset, body.fields())
        if case is None:
            raise not_found("machine")
        return answer({"asset": asset, "case": case}, 201)

    @router.post(f"{root}/devices", tags=["devices"], summary="Register a device; its secret is in this answer alone")
    def add_device(who: Who, body: DeviceBody) -> Response:
        made = owners.add_device(who, body.device, body.model)
        return answer(
            {**_dict(made), "mqtt": f"mqtt://{web.settings.mqtt}", "command_key": web.settings.command_key()}, 201
        )

    @router.post(f"{root}/devices/{{tenant}}/{{device}}/revoke", tags=["devices"], summary="Let a device in no more")
    def revoke(who: Who, tenant: str, device: str, match: Match) -> Response:
        expect(DEVICE, match, who, device)
        if tenant != who.tenant or not owners.revoke_device(who, device):
            raise not_found("device")
        return answer({"tenant": tenant, "device": device, "state": "revoked"})

    @router.post(f"{root}/clock", tags=["system"], summary="Pause, resume or pace the demo's clock (demo tenant only)")
    def clock(who: Who, body: ClockBody, match: Match) -> Response:
        expect(CLOCK, match, who)
        set_clock(web, who, body.action, body.factor)
        of = web.clock(who.tenant)
        return answer({"tenant": who.tenant, "now": of.now(), "factor": of.factor})


def _or_404(found: object | None, what: str) -> Response:
    if found is None:
        raise not_found(what)
    return answer(found)


def _dict(made: object) -> dict[str, object]:
    return {name: getattr(made, name) for name in ("tenant", "device", "username", "password", "topic")}
