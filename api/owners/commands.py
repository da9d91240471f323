"""Commands on service work: what a request asks for, told to work_orders; its refusals as problems."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime

from api.owners.versions import overtaken
from api.problems import Problem, bad_field, not_found
from api.roles import Principal
from plumbing.runtime import Shared
from work_orders import queries, service
from work_orders.domain import machine
from work_orders.domain.case_states import CASE, CaseAction, CaseState
from work_orders.domain.machine import Actor, IllegalTransition, NotPermitted
from work_orders.domain.order_states import ENDED
from work_orders.service import errors
from work_orders.service.order_steps import task_action
from work_orders.service.permits import PermitMissing
from work_orders.service.reports import TooManyReports

DECIDES = ("approve", "reject")
"""What is done with a case whose order waits for approval."""
BY_HAND = ("order", "solve", "not-solved", "merge", "unmerge", "calm")
"""What a dispatcher does with a case by himself."""
SIGN_REASON = "stopped during the cooling-off time"


def actor_of(shared: Shared, who: Principal) -> Actor:
    """The principal as work_orders knows it; customers and technicians by their names."""
    name = who.name
    if who.subject:
        with shared.database.read() as connection:
            name = queries.people(connection, who.tenant).get(who.subject, who.name)
    return Actor(name or str(who.role), machine.Role(who.role.value), who.subject)


@contextmanager
def refusals() -> Iterator[None]:
    """Turns what work_orders refuses into problems."""
    try:
        yield
    except IllegalTransition as no:
        raise Problem(409, str(no), state=no.state, allowed=list(no.allowed)) from no
    except NotPermitted as no:
        raise Problem(403, str(no), action=no.action, roles=list(no.roles)) from no
    except errors.NotFound as no:
        raise not_found(no.what) from no
    except errors.BadInput as no:
        raise Problem(422, str(no), field=no.field, rule=no.rule) from no
    except errors.Stale as no:
        raise overtaken(no.id, no.seen, no.is_now) from no
    except errors.SlotTaken as no:
        raise Problem(409, f"{no}. {no.left} half days can still be chosen.", field="slot", value=no.slot) from no
    except TooManyReports as no:
        raise Problem(429, f"{no}.") from no
    except (errors.CannotAssign, errors.FindingMissing, errors.UnknownModel, PermitMissing) as no:
        raise Problem(409, str(no)) from no


def version_of(fields: dict[str, str]) -> int | None:
    """The version that the caller saw; None = he does not say. Raises Problem."""
    given = fields.get("version", "")
    if not given:
        return None
    if not given.isdecimal() or len(given) > 9:
        raise bad_field("version", given, "the number that the list showed")
    return int(given)


def _day(fields: dict[str, str]) -> date:
    given = fields.get("day", "")
    try:
        return date.fromisoformat(given)
    except ValueError as no:
        raise bad_field("day", given, "a day such as 2026-11-24") from no


def _moment(fields: dict[str, str]) -> datetime | None:
    given = fields.get("at", "")
    if not given:
        return None
    try:
        at = datetime.fromisoformat(given)
    except ValueError as no:
        raise bad_field("at", given, "a time with zone, such as 2026-11-24T10:00:00Z") from no
    if at.tzinfo is None:
        raise bad_field("at", given, "a time with zone, such as 2026-11-24T10:00:00Z")
    return at.astimezone(UTC)


class Commands:
    """Commands of one installation; False = there is nothing of that name for the principal."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def answer(self, who: Principal, notice: str, reply: str, fields: dict[str, str]) -> None:
        """Answer, or stop, a notice."""
        shared, tenant, actor, version = self._shared, who.tenant, actor_of(self._shared, who), version_of(fields)
        reason = fields.get("reason", "")
        with refusals():
            match reply:
                case "accept":
                    slot = fields.get("slot", "")
                    if slot not in ("1", "2"):
                        raise bad_field("slot", slot, "the key of a half day that the notice offers: 1 or 2")
                    service.accept_notice(shared, tenant, notice, int(slot), actor, version=version)
                case "decline":
                    service.decline_notice(shared, tenant, notice, reason, actor, version=version)
                case "propose":
                    service.propose_day(
                        shared, tenant, notice, _day(fields), actor, half=fields.get("half") or None, reason=reason,
                        version=version,
                    )  # fmt: skip
                case "another-day":
                    service.ask_other_day(
                        shared, tenant, notice, _day(fields), actor, half=fields.get("half") or None, reason=reason,
                        version=version,
                    )  # fmt: skip
                case "call-off":
                    service.call_off_visit(shared, tenant, notice, reason, actor, version=version)
                case "call-me":
                    service.ask_for_call(shared, tenant, notice, actor, reason=reason, version=version)
                case "stop":
                    service.stop_notice(shared, tenant, notice, reason or SIGN_REASON, actor)
                case "open":
                    service.open_notice(shared, tenant, notice, actor)
                case _:
                    raise bad_field(
                        "reply", reply, "accept, decline, propose, call-me, another-day, call-off or stop", 404
                    )

    def move_order(self, who: Principal, order: str, action: str, fields: dict[str, str]) -> None:
        """One of the order's actions, or `book`: the first free half day, or the one named by day and half."""
        shared, tenant, actor, version = self._shared, who.tenant, actor_of(self._shared, who), version_of(fields)
        with refusals():
            if action != "book":
                service.order_action(
                    shared, tenant, order, action, actor, reason=fields.get("reason", ""), version=version
                )
            elif fields.get("day"):
                service.book_visit(
                    shared, tenant, order, _day(fields), fields.get("half", "am"), actor,
                    technician_id=fields.get("technician") or None, agreed_by=fields.get("agreed_by", ""),
                    dispatch=True, version=version,
                )  # fmt: skip
            else:
                self._book_first(who, order, fields, version)

    def _book_first(self, who: Principal, order: str, fields: dict[str, str], version: int | None) -> None:
        """The day that the customer proposed, else the first free half day of whoever can come first."""
        shared, tenant, actor = self._shared, who.tenant, actor_of(self._shared, who)
        agreed = fields.get("agreed_by", "")
        with shared.database.read() as connection:
            crew = queries.technicians(connection, tenant)
            notices = queries.notices(connection, tenant, limit=200).items
            mine = next((n for n in notices if n.order_id == order), None)
            now = shared.clocks.of(tenant).now()
            found = queries.notice(connection, tenant, mine.id, now) if mine else None
        proposed = next((a for a in reversed(found.answers) if a.kind == "propose"), None) if found else None
        if proposed is not None and proposed.day is not None and proposed.handled_at is None:
            agreed = agreed or "proposed by the customer"
            service.book_visit(
                shared, tenant, order, proposed.day, proposed.half or "am", actor, agreed_by=agreed, dispatch=True,
                version=version,
            )  # fmt: skip
            return
        chosen = [fields["technician"]] if fields.get("technician") else [t.id for t in crew]
        refused: list[str] = []
        for technician in chosen:
            try:
                service.assign_technician(
                    shared, tenant, order, technician, actor, agreed_by=agreed, dispatch=True, version=version
                )
                return
            except errors.CannotAssign as no:
                refused.append(str(no))
        raise Problem(409, "; ".join(refused) or "No technician is on record.")

    def do_task(self, who: Principal, order: str, n: int, action: str, result: str) -> None:
        """Take a step of the checklist: begin, do, skip (with a reason), fail."""
        with refusals():
            task_action(self._shared, who.tenant, order, n, action, actor_of(self._shared, who), result=result)

    def find(self, who: Principal, order: str, fields: dict[str, str]) -> None:
        """Record a finding."""
        replaced = fields.get("replaced")
        with refusals():
            service.record_finding(
                self._shared, who.tenant, order, fields.get("result", ""), actor_of(self._shared, who),
                failure_mode=fields.get("failure_mode", ""), as_found=fields.get("as_found", ""),
                replaced=None if replaced is None else replaced == "true", serial=fields.get("serial", ""),
                version=version_of(fields),
            )  # fmt: skip

    def break_down(self, who: Principal, asset: str, fields: dict[str, str]) -> str:
        """Report a breakdown; the case."""
        with refusals():
            return service.report_breakdown(
                self._shared, who.tenant, asset, fields.get("failure_mode", ""), actor_of(self._shared, who),
                at=_moment(fields), as_found=fields.get("as_found", ""), replaced=fields.get("replaced") == "true",
            )  # fmt: skip

    def move_case(self, who: Principal, case: str, action: str, fields: dict[str, str]) -> None:
        """Decide on the order that waits for approval: approve or reject."""
        if action not in DECIDES:
            raise bad_field("action", action, f"one of {', '.join((*DECIDES, *BY_HAND))}", 404)
        with self._shared.database.read() as connection:
            found = queries.case(connection, who.tenant, case, decisions=1)
        if found is None:
            raise not_found("case")
        waiting = [id for id, state in found.orders if state == "awaiting_approval"]
        if not waiting:
            possible, busy = CASE.allowed(CaseState(found.case.state)), any(s not in ENDED for _, s in found.orders)
            needs = {"order": CaseAction.PROPOSE, "solve": CaseAction.CLEAR, "merge": CaseAction.MERGE}
            needs["unmerge"] = CaseAction.UNMERGE
            allowed = [a for a, by in needs.items() if by in possible and not (busy and a in ("order", "solve"))]
            said = "No work order of this case waits for approval."
            raise Problem(409, said, state=found.case.state, allowed=allowed)
        with refusals():
            if action == "approve":
                service.approve_proposal(
                    self._shared, who.tenant, waiting[-1], actor_of(self._shared, who), version=None
                )
            else:
                service.reject_proposal(
                    self._shared,
                    who.tenant,
                    waiting[-1],
                    fields.get("reason", ""),
                    actor_of(self._shared, who),
                    version=None,
                )
