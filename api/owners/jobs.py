"""What people bring along and do at a machine: requests, labels, files, incidents, steps of a job."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from api.owners.commands import actor_of, refusals, version_of
from api.owners.service_work import own
from api.problems import bad_field, not_found
from api.roles import Principal, Role
from api.views import Chore
from plumbing.runtime import Shared
from work_orders import queries
from work_orders.domain import machine
from work_orders.domain.readings import number_of
from work_orders.domain.report_words import SYMPTOMS, kind_of
from work_orders.domain.requests import COMPLAINT, RequestKind
from work_orders.queries import door, jobs
from work_orders.queries.door import IncidentRow, MemberRow, RecallRow, RequestRow
from work_orders.queries.jobs import JobDetail
from work_orders.queries.report_words import WordsSay, words_say
from work_orders.service import (
    attachments,
    heeding,
    incidents,
    labels,
    merging,
    opening,
    order_steps,
    permits,
    recalls,
    reports,
    tables,
    trying_afar,
)  # fmt: skip
from work_orders.service.attachments import Attachment
from work_orders.service.door import Opened, Request, place_request, take_request
from work_orders.service.recalls import Recalled


@dataclass(frozen=True, slots=True)
class CaseMore:
    """What a case's page shows beside the decisions: what people said, files, what it belongs to, what can be done."""

    requests: Sequence[RequestRow]
    files: Sequence[Attachment]
    incident: tuple[str, str] | None
    others: Sequence[tuple[str, str]]
    """Open cases of the same machine that it could be merged into: (id, words)."""
    merged_into: str
    merged: Sequence[str]
    actions: Sequence[str]
    """order, solve, not-solved, merge, unmerge: what its state allows to whoever looks."""
    version: int


class Jobs:
    """Of one installation. None, or a problem, where something is not the principal's."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def case_more(self, who: Principal, case: str) -> CaseMore | None:
        """None = there is no such case."""
        with self._shared.database.read() as connection:
            row = _case(connection, who.tenant, case)
            if row is None:
                return None
            around = queries.cases(connection, who.tenant, asset_id=row.asset_id, open_only=True).items
            others = [
                (c.id, f"{c.component or 'whole machine'}, {c.state}".replace("_", " "))
                for c in around
                if c.id != case and COMPLAINT not in (c.component, row.component)
            ]
            family = attachments.family(connection, who.tenant, case)
            return CaseMore(
                door.requests(connection, who.tenant, case_id=case).items,
                attachments.files_of_case(connection, who.tenant, case),
                door.incident_of_case(connection, who.tenant, case), others, row.merged_into or "", family[1:],
                self._case_actions(who, row, bool(others)), row.version,
            )  # fmt: skip

    def _case_actions(self, who: Principal, row: sa.Row[Any], merges: bool) -> list[str]:
        if who.role not in (Role.DISPATCHER, Role.ADMIN):
            return []
        if row.state == "merged":
            return ["unmerge"]
        if row.closed_at is not None or row.state not in ("triaging", "monitoring", "remote_fix"):
            return []
        afar = ["not-solved"] if row.state == "remote_fix" else []
        return ["order", "solve", *afar, *(["merge"] if merges else [])]

    def move_case(self, who: Principal, case: str, action: str, fields: dict[str, str]) -> None:
        """order, solve, not-solved, merge (with `into`), unmerge, or calm: it is not urgent, whatever the words."""
        shared, tenant, actor = self._shared, who.tenant, actor_of(self._shared, who)
        reason, version = fields.get("reason", ""), version_of(fields)
        with refusals():
            match action:
                case "order":
                    opening.order_visit(shared, tenant, case, actor, why=reason, version=version)
                case "solve":
                    opening.solve(shared, tenant, case, reason, actor, version=version)
                case "calm":
                    heeding.call_calm(shared, tenant, case, actor, version=version)
                case "not-solved":
                    trying_afar.did_not_work(shared, tenant, case, actor, reason=reason, version=version)
                case "merge":
                    into = fields.get("into", "")
                    if not into:
                        raise bad_field("into", into, "the id of an open case of the same machine")
                    merging.merge(shared, tenant, case, into, actor, reason=reason, version=version)
                case _:
                    merging.unmerge(shared, tenant, case, actor, version=version)

    def words_say(self, who: Principal, case: str) -> WordsSay | None:
        """What people's words say of a case, for colleagues."""
        with self._shared.database.read() as connection:
            return words_say(connection, who.tenant, case, self._shared.models)

    def job(self, who: Principal, order: str) -> JobDetail | None:
        """None when the order is not the principal's."""
        if who.role is Role.CUSTOMER:
            return None
        role = machine.Role(who.role.value)
        with self._shared.database.read() as connection:
            if queries.order(connection, who.tenant, order, role=role, **own(who)) is None:
                return None
            return jobs.job(connection, who.tenant, order, role)

    def visit(self, who: Principal, order: str, action: str, reason: str = "") -> None:
        """accept, reject, set_out, arrive, no_access, break_off."""
        if action not in order_steps.VISIT_ACTIONS:
            raise bad_field("action", action, f"one of {', '.join(order_steps.VISIT_ACTIONS)}", 404)
        with refusals():
            order_steps.visit_action(
                self._shared, who.tenant, order, action, actor_of(self._shared, who), reason=reason
            )

    def attach(self, who: Principal, order: str, name: str, data: bytes, purpose: str, step: int | None) -> str:
        """A file for a work order or one of its steps; its id."""
        with refusals():
            return attachments.attach_to_order(
                self._shared, who.tenant, order, data, name, purpose, actor_of(self._shared, who), step=step
            )

    def grant(self, who: Principal, order: str, name: str, note: str) -> str:
        """Record a permit or a lock-out; its id."""
        with refusals():
            return permits.grant(self._shared, who.tenant, order, name, actor_of(self._shared, who), note=note)

    def give_back(self, who: Principal, order: str, permit: str) -> bool:
        """A permit is given back, a lock taken off."""
        with refusals():
            return permits.give_back(self._shared, who.tenant, order, permit, actor_of(self._shared, who))

    def took(self, who: Principal, order: str, fields: dict[str, str]) -> None:
        """What a job really took: work_minutes, travel_minutes, km, parts_cost, other_cost, note."""
        numbers: dict[str, float] = {}
        for name in ("work_minutes", "travel_minutes", "km", "parts_cost", "other_cost"):
            given = fields.get(name, "").strip()
            if not given:
                continue
            number = number_of(given)
            if number is None:
                raise bad_field(name, given, "must be a number")
            numbers[name] = number
        minutes = {n: int(v) for n, v in numbers.items() if n.endswith("minutes")}
        with refusals():
            order_steps.record_actuals(
                self._shared, who.tenant, order, actor_of(self._shared, who), note=fields.get("note", ""),
                work_minutes=minutes.get("work_minutes"), travel_minutes=minutes.get("travel_minutes"),
                km=numbers.get("km"), parts_cost=numbers.get("parts_cost"), other_cost=numbers.get("other_cost"),
            )  # fmt: skip

    def file(self, who: Principal, id: str) -> tuple[Attachment, bytes] | None:
        """A file with its bytes, if the principal may see its case: a technician his orders', a customer his own."""
        with self._shared.database.read() as connection:
            found = attachments.bytes_of(connection, who.tenant, id)
            if found is None or who.sees_all:
                return found
            row = _case(connection, who.tenant, found[0].case_id or "")
            if row is None:
                return None
            if who.role is Role.CUSTOMER:
                return found if row.customer_id == who.subject else None
            wanted = {row.id, row.merged_into}
            jobs_of = queries.my_jobs(connection, who.tenant, who.subject, ended_since=row.opened_at)
            return found if any(o.case_id in wanted for o in jobs_of) else None

    def report(
        self, who: Principal, asset: str, fields: dict[str, str], photos: Sequence[tuple[str, bytes]] = ()
    ) -> Opened:
        """Somebody with an account reports a fault; the office types in what a caller said."""
        symptom, complaint = fields.get("symptom", "other"), fields.get("complaint") == "true"
        if symptom not in SYMPTOMS:
            raise bad_field("symptom", symptom, f"one of {', '.join(SYMPTOMS)}")
        kind = kind_of(symptom)
        if who.sees_all and kind is RequestKind.REPORT:
            kind = RequestKind.PHONE
        text = fields.get("text", "").strip()
        said = text if symptom == "other" and text else ". ".join(x for x in (SYMPTOMS[symptom], text) if x)
        asked = Request(
            RequestKind.COMPLAINT if complaint else kind, asset, fields.get("component", ""), text=said,
            who=fields.get("who", "").strip(), contact=fields.get("contact", "").strip(),
            channel="phone" if who.sees_all else "web", source=f"web:{who.account}"[:64],
            external=fields.get("once", ""),
        )  # fmt: skip
        with refusals():
            return reports.take_report(self._shared, who.tenant, asked, actor_of(self._shared, who), photos)

    def requests(self, who: Principal, *, unplaced: bool = False) -> Sequence[RequestRow]:
        """The newest."""
        with self._shared.database.read() as connection:
            return door.requests(connection, who.tenant, unplaced=unplaced, limit=100).items

    def place(self, who: Principal, request: str, asset: str, component: str) -> str:
        """Say which machine a request is about; its case."""
        with refusals():
            return place_request(
                self._shared, who.tenant, request, asset, actor_of(self._shared, who), component=component
            )

    def bring(self, who: Principal, asked: Request) -> Opened:
        """Any kind of request, as a program brings it."""
        with refusals():
            return take_request(self._shared, who.tenant, asked, actor_of(self._shared, who))

    def incidents(self, who: Principal) -> Sequence[IncidentRow]:
        """Those that are open first."""
        with self._shared.database.read() as connection:
            return door.incidents(connection, who.tenant)

    def incident(self, who: Principal, id: str) -> tuple[IncidentRow, list[MemberRow]]:
        """One with its cases."""
        with self._shared.database.read() as connection:
            found = door.incident(connection, who.tenant, id)
        if found is None:
            raise not_found("incident")
        return found

    def move_incident(self, who: Principal, id: str, action: str, cases: Sequence[str] = ()) -> int:
        """release (all, or the named cases) or dissolve; how many cases it moved."""
        if action not in ("release", "dissolve"):
            raise bad_field("action", action, "release or dissolve", 404)
        actor = actor_of(self._shared, who)
        with refusals():
            if action == "release":
                return incidents.release(self._shared, who.tenant, id, actor, cases=cases)
            return incidents.dissolve(self._shared, who.tenant, id, actor)

    def recalls(self, who: Principal, incident: str | None = None) -> list[RecallRow]:
        """The recall of an incident; else those that are going on."""
        with self._shared.database.read() as connection:
            return door.recalls(connection, who.tenant, incident=incident)

    def recall(self, who: Principal, name: str, text: str, model: str, serials: str, component: str) -> Recalled:
        """Recall machines of a model or batch; how far it has come."""
        with refusals():
            return recalls.recall(
                self._shared, who.tenant, name, text, actor_of(self._shared, who), model=model,
                serials=serials.replace(",", " ").split(), component=component,
            )  # fmt: skip

    def chores(self, who: Principal) -> list[Chore]:
        """What came in by the door and waits for a dispatcher, and what is to be tried from afar."""
        with self._shared.database.read() as connection:
            afar = [
                Chore(
                    "remote_fix", f.case, f"{f.asset}: try it from afar",
                    f"{f.remedy}. Until {f.until:%d %B %H:%M} UTC, then somebody has to go there.",
                    f"/cases/{f.case}", f"/cases/{f.case}/not-solved", {"version": str(f.version)}, "It did not help",
                    f.begun_at,
                )
                for f in trying_afar.trying(connection, who.tenant)
            ]  # fmt: skip
            new = door.undecided(connection, who.tenant)
            unplaced = door.requests(connection, who.tenant, unplaced=True, limit=50).items
            held = [i for i in door.incidents(connection, who.tenant, open_only=True) if i.waiting]
        return [
            *afar,
            *(
                Chore(
                    "report", r.case_id, f"{r.asset}: {'urgent, ' if r.urgent else ''}{r.kind}",
                    r.text or "Nothing was said.", f"/cases/{r.case_id}", f"/cases/{r.case_id}/order", {},
                    "Order a visit", r.since,
                )
                for r in new
            ),
            *(
                Chore("which_machine", r.id, f"{r.who}: which machine?", r.text, "/requests", "", {}, "Look at it",
                      r.taken_at)
                for r in unplaced
            ),
            *(
                Chore(
                    "incident", i.id, f"{i.title}: one decision", f"{i.waiting} work orders wait for it.",
                    f"/incidents/{i.id}", "", {}, "Look at it", i.opened_at,
                )
                for i in held
            ),
        ]  # fmt: skip

    def label(self, who: Principal, asset: str, *, renew: bool = False) -> str:
        """The token of a machine's label."""
        with refusals():
            return labels.label_of(self._shared, who.tenant, asset, actor_of(self._shared, who), renew=renew)

    def labelled(self, token: str) -> reports.Labelled:
        """The machine of a label. Raises Problem."""
        found = reports.labelled(self._shared, token)
        if found is None:
            raise not_found("label")
        return found

    def report_by_label(
        self, token: str, fields: dict[str, str], photos: Sequence[tuple[str, bytes]], address: str
    ) -> reports.Reported:
        """A report without an account."""
        with refusals():
            return reports.report_by_label(
                self._shared, token, fields.get("symptom", ""), text=fields.get("text", ""),
                contact=fields.get("contact", ""), photos=photos, address=address, once=fields.get("once", ""),
            )  # fmt: skip

    def progress(self, token: str) -> reports.Progress:
        """How far a report has come. Raises Problem."""
        found = reports.progress(self._shared, token)
        if found is None:
            raise not_found("report")
        return found


def _case(connection: sa.Connection, tenant: str, id: str) -> sa.Row[Any] | None:
    c = tables.cases.c
    return connection.execute(sa.select(tables.cases).where(c.tenant == tenant, c.id == id)).first()
