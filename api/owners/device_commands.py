"""Commands to devices and guided diagnoses: the ledger of ingest and the evidence of work_orders, for pages and API."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from api.command_views import HINTS, CheckResult, CommandChoice, DeviceCommand, Examination, Hold, Remote
from api.owners.commands import actor_of, refusals
from api.owners.machines import visible
from api.owners.words import mode_title
from api.ports import Wanted
from api.problems import Problem, bad_field, not_found
from api.roles import Principal
from api.views import Page
from contracts.asset_model import AssetModel
from contracts.command_kinds import Arg
from contracts.commands import APPROVERS
from contracts.diagnosis import NOTHING
from ingest.domain.commanding import BEFORE_GRANT, State
from ingest.service import commands as ledger
from ingest.service import registry
from plumbing.runtime import Shared
from work_orders.queries.diagnoses import DiagnosisRow, diagnoses
from work_orders.queries.holds import hold_of, open_holds
from work_orders.service import holding


@contextmanager
def _refusals() -> Iterator[None]:
    """Turns what the ledger refuses into problems."""
    try:
        yield
    except ledger.UnknownCommand as no:
        if no.field == "name":
            raise bad_field("name", "", no.rule) from no
        raise not_found("device" if no.field == "device" else "command") from no
    except ledger.WrongState as no:
        raise Problem(409, str(no), state=no.state) from no
    except ledger.StoodAgainst as no:
        raise Problem(409, no.rule, reason=no.reason) from no
    except ledger.NotAllowed as no:
        raise Problem(409, no.rule, field=no.field) from no
    except ledger.CommandFault as no:
        raise bad_field(no.field, "", no.rule) from no


class DeviceCommands:
    """Questions and commands; None or False = there is nothing of that name for the principal."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def _reach(self, who: Principal) -> frozenset[str] | None:
        """The devices that a technician's jobs lead to; None = all of the tenant."""
        if who.sees_all:
            return None
        with self._shared.database.read() as connection:
            machines = visible(connection, who, self._shared.clocks.of(who.tenant).now())
        return frozenset(device for machine in machines for device in machine.devices)

    def _reaches(self, who: Principal, device: str) -> bool:
        reach = self._reach(who)
        return reach is None or device in reach

    def commands(self, who: Principal, wanted: Wanted) -> Page:
        with _refusals():
            items, cursor = ledger.page(
                self._shared.database, who.tenant, device=wanted.asset, state=wanted.state, after=wanted.after,
                limit=wanted.limit, among=self._reach(who),
            )  # fmt: skip
        return Page([_shown(c, who) for c in items], cursor)

    def commands_of(self, who: Principal, devices: Collection[str], limit: int) -> list[DeviceCommand]:
        reach = self._reach(who)
        among = set(devices) if reach is None else reach & set(devices)
        return [_shown(c, who) for c in ledger.page(self._shared.database, who.tenant, limit=limit, among=among)[0]]

    def command(self, who: Principal, id: str) -> DeviceCommand | None:
        with self._shared.database.read() as connection:
            found = ledger.find_on(connection, who.tenant, id)
        return None if found is None or not self._reaches(who, found.device) else _shown(found, who)

    def remote(self, who: Principal, device: str) -> Remote | None:
        found = registry.find_device(self._shared.database, who.tenant, device)
        if found is None or not self._reaches(who, device):
            return None
        model = self._shared.models(found.model)
        now = self._shared.clocks.of(who.tenant).now()
        with self._shared.database.read() as connection:
            guarded = ledger.is_guarded_on(connection, who.tenant, device)
            holds = ledger.held_by(connection, who.tenant, device, now)
        kinds = model.commands.values() if model is not None else ()
        choices = [
            CommandChoice(k.name, k.title, k.risk, [_arg(a) for a in k.args], who.role in ledger.ISSUERS[k.risk])
            for k in kinds
        ]
        return Remote(device, choices, guarded, holds)

    def send_command(self, who: Principal, device: str, name: str, args: dict[str, Any], **more: Any) -> DeviceCommand:
        shared = self._shared
        if not self._reaches(who, device):
            raise not_found("device")
        wanted = ledger.Wanted(who.tenant, device, name, args, **more)
        with _refusals():
            id = ledger.issue(
                shared.database, wanted, _person(who), models=shared.models, now=shared.clocks.of(who.tenant).now(),
                wall=shared.system.now(),
            )  # fmt: skip
        made = self.command(who, id)
        assert made is not None
        return made

    def move_command(self, who: Principal, id: str, action: str) -> DeviceCommand | None:
        if self.command(who, id) is None:
            return None
        now, database = self._shared.clocks.of(who.tenant).now(), self._shared.database
        with _refusals():
            if action == "approve":
                ledger.approve(database, who.tenant, id, _person(who), now=now)
            elif action == "cancel":
                ledger.cancel(database, who.tenant, id, _person(who), now=now, wall=self._shared.system.now())
            else:
                raise bad_field("action", action, "approve or cancel", 404)
        return self.command(who, id)

    def switch_guarded(self, who: Principal, device: str, on: bool) -> Remote | None:
        now = self._shared.clocks.of(who.tenant).now()
        with _refusals():
            ledger.set_guarded(self._shared.database, who.tenant, device, on, _person(who), now=now)
        return self.remote(who, device)

    def holds(self, who: Principal, asset: str) -> list[Hold]:
        with self._shared.database.read() as connection:
            found = open_holds(connection, who.tenant, asset)
        return [Hold(h.id, h.kind, h.note, h.actor, h.since) for h in found]

    def _check_machine(self, who: Principal, asset: str | None, what: str) -> None:
        """Raises Problem unless the machine is the principal's to see."""
        if who.sees_all and asset is not None:
            return
        with self._shared.database.read() as connection:
            machines = visible(connection, who, self._shared.clocks.of(who.tenant).now())
        if asset not in {machine.id for machine in machines}:
            raise not_found(what)

    def set_hold(self, who: Principal, asset: str, kind: str, note: str) -> str:
        self._check_machine(who, asset, "machine")
        with refusals():
            return holding.set_hold(self._shared, who.tenant, asset, kind, note, actor_of(self._shared, who))

    def release_hold(self, who: Principal, hold: str) -> bool:
        with self._shared.database.read() as connection:
            asset = hold_of(connection, who.tenant, hold)
        self._check_machine(who, asset, "hold")
        with refusals():
            return holding.release_hold(self._shared, who.tenant, hold, actor_of(self._shared, who))

    def examinations(self, who: Principal, *, case: str = "", asset: str = "", limit: int = 50) -> list[Examination]:
        with self._shared.database.read() as connection:
            found = diagnoses(connection, who.tenant, case_id=case, asset_id=asset, limit=limit)
        return [_examination(d, self._shared.models(d.model)) for d in found]


def _person(who: Principal) -> ledger.Person:
    return ledger.Person(who.actor, str(who.role))


def _shown(of: ledger.Recorded, who: Principal) -> DeviceCommand:
    can: list[str] = []
    if of.state == State.WAITING and who.role in APPROVERS and who.actor != of.issued_by:
        can.append("approve")
    if of.state in BEFORE_GRANT and who.role in APPROVERS:
        can.append("cancel")
    return DeviceCommand(
        of.id, of.device, of.name, of.args, of.risk, of.state, of.reason, of.text, of.progress, of.result, of.case_id,
        of.why, of.issued_by, of.issued_at, of.lifetime_s, of.approved_by, of.approved_at, of.sent_at, of.started_at,
        of.ended_at, can, HINTS.get(of.reason, "") if of.state in (State.REFUSED, State.EXPIRED) else "",
    )  # fmt: skip


def _arg(arg: Arg) -> dict[str, Any]:
    bounds = {k: v for k, v in (("low", arg.low), ("high", arg.high)) if abs(v) != float("inf")}
    return {"name": arg.name, "kind": str(arg.kind), "default": arg.default, "choices": list(arg.choices), **bounds}


def _examination(of: DiagnosisRow, model: AssetModel | None) -> Examination:
    checks = [_check(e, of, model) for e in of.evidence]
    return Examination(
        of.id, of.case_id, of.asset_id, mode_title(model, of.failure_mode), of.verdict, of.sentence,
        _titled(of.prior, model), _titled(of.posterior, model), of.started_at, of.ended_at, of.seconds, checks,
    )  # fmt: skip


def _titled(shares: dict[str, float], model: AssetModel | None) -> dict[str, float]:
    """The likeliest first, under the names that people know."""
    out: dict[str, float] = {}
    for mode, p in sorted(shares.items(), key=lambda share: -share[1]):
        title = "No fault" if mode == NOTHING else mode_title(model, mode)
        out[title] = out.get(title, 0.0) + p  # two modes may have the same name for people
    return out


def _check(of: Any, diagnosis: DiagnosisRow, model: AssetModel | None) -> CheckResult:
    check = model.diagnosis.checks.get(of.check) if model is not None else None
    outcome = check.outcome(of.value) if check is not None and of.value is not None else None
    return CheckResult(
        of.check, check.title if check else of.check, of.state, of.value, check.unit if check else "",
        outcome.says if outcome else of.text, outcome.factors.get(diagnosis.failure_mode, 1.0) if outcome else None,
        check.source if check else "", of.at, of.command_id,
    )  # fmt: skip
