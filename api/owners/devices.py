"""Devices: the registry, ledgers, quarantine, and what was heard from a new one."""

from dataclasses import replace

import msgspec

from api.owners.condition import NOTHING, Conditions
from api.ports import Heard, NewDevice, Wanted
from api.problems import Problem, bad_field
from api.roles import Principal
from api.views import Device, Ledger, Page, Refusal
from contracts import topics
from contracts.points import StoreUnreachable
from ingest.service import registry
from ingest.service.ledger import ledger
from ingest.service.ledger_report import report
from ingest.service.presence import outages_of
from ingest.service.quarantine import Quarantined, quarantine_page
from ingest.service.refusals import REMEDIES, last_refusal
from plumbing.runtime import Shared
from work_orders.service.errors import WorkOrdersError
from work_orders.service.installed_base import add_asset

BODY_SHOWN = 2000
MOST_OUTAGES = 10_000
BROKERS = {
    "wrong_secret": "The broker did not let it in: user name or secret is wrong.",
    "forbidden_topic": "The broker dropped a message on a topic that is not this device's.",
}
RULES = {
    "malformed": "the message is not what the device link's version 1 asks for",
    "wrong_type": "the value is neither a number nor true, false or null",
    "not_finite": "the value is no finite number",
    "unknown_device": "no such device is registered",
    "unknown_signal": "the asset model has no such signal",
    "unknown_unit": "the unit is no code that is known",
    "wrong_unit": "the unit measures something else",
    "out_of_range": "the value (or its time) is outside the valid range",
    "future": "the time lies ahead of the platform's clock",
    "too_large": "the message is above 1 MB",
    "schema_version": "the message has another version",
    "store_refused": "the telemetry store does not take it",
}


class Devices:
    """Questions and commands about devices."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def devices(self, who: Principal, wanted: Wanted) -> Page:
        off = {
            device: outage
            for outage in outages_of(self._shared.database, who.tenant, limit=MOST_OUTAGES)
            for device in (*outage.behind, outage.device)
        }
        found = [
            replace(_device(d), outage=off.get(d.device))
            for d in registry.list_devices(self._shared.database, who.tenant)
            if wanted.asset in ("", d.device) and wanted.state in ("", d.state) and d.device > wanted.after
        ]
        page = found[: wanted.limit]
        return Page(page, page[-1].device if len(found) > wanted.limit else None)

    def device(self, who: Principal, device: str) -> Device | None:
        found = registry.find_device(self._shared.database, who.tenant, device)
        return _device(found) if found else None

    def ledger(self, who: Principal, device: str, *, days: int = 7, signals: bool = False) -> Ledger | None:
        if self.device(who, device) is None:
            return None
        try:
            told = report(self._shared, who.tenant, device, days=days, signals=signals)
        except StoreUnreachable as failure:
            raise Problem(503, f"The telemetry store does not answer: {failure}") from failure
        of = told.ledger
        s = of.sums()
        unsequenced = sum(e.sent for e in of.outboxes if e.kind == "unsequenced")
        return Ledger(
            s["sent"], s["stored"], s["quarantined"], s["discarded"], s["lost"], s["waiting"], s["duplicate"],
            sum(of.refused.values()), unsequenced, s["same_time"], of.refused, of.sums(history=True),
            [(e.boot_id, a, b) for e in of.outboxes for a, b in e.missing], told.losses, told.days, told.silent_s,
            told.skew_s, told.backlog_s, told.signals, told.signal_days, s["moved"], told.moved_ranges, s["expired"],
            told.agent,
        )  # fmt: skip

    def refusals(self, who: Principal, wanted: Wanted) -> Page:
        before = int(wanted.after) if wanted.after.isdecimal() else None
        found = quarantine_page(
            self._shared.database, who.tenant, wanted.asset or None, reason=wanted.state or None, before=before,
            limit=wanted.limit + 1,
        )  # fmt: skip
        page = [refusal_of(q) for q in found[: wanted.limit]]
        return Page(page, page[-1].id if len(found) > wanted.limit else None)

    def heard(self, who: Principal, device: str, conditions: Conditions) -> Heard | None:
        found = registry.find_device(self._shared.database, who.tenant, device)
        if found is None:
            return None
        sums = ledger(self._shared.database, who.tenant, device).sums()
        values: dict[str, float] = {}
        if sums["stored"]:
            newest = self._shared.store.read(who.tenant, device, limit=1, newest_first=True)
            if len(newest.t_us):
                row = zip(newest.signals, newest.values[-1].tolist(), strict=True)
                values = {name: x for name, x in row if x == x}
        condition = conditions.get(device, NOTHING)
        return Heard(
            found.first_seen if sums["stored"] else None, sums["stored"], values,
            self._last_refusal(who.tenant, device), condition.learning_hours_left, condition.learned,
        )  # fmt: skip

    def _last_refusal(self, tenant: str, device: str) -> Refusal | None:
        last = last_refusal(self._shared.database, tenant, device)
        if last is None:
            return None
        if last.reason in BROKERS:
            text = BROKERS[last.reason]
            return Refusal("", device, last.reason, last.where, text, last.at, "", last.remedy)
        kept = quarantine_page(self._shared.database, tenant, device, limit=1)
        return refusal_of(kept[0]) if kept else None

    def add_device(self, who: Principal, device: str, model: str) -> NewDevice:
        now = self._shared.clocks.of(who.tenant).now()
        try:
            made = registry.add_device(
                self._shared.database, who.tenant, device, model, now=now, models=self._shared.models, actor=who.actor
            )
        except registry.RegistryFault as fault:
            status = 409 if isinstance(fault, registry.DuplicateDevice) else 422
            raise bad_field(fault.field, fault.value, fault.rule, status) from fault
        try:
            add_asset(self._shared, who.tenant, device, model)
        except WorkOrdersError as fault:
            raise Problem(409, f"The device is registered, its machine is not: {fault}") from fault
        return NewDevice(
            made.tenant, made.device, made.username, made.password, topics.topic(made.tenant, made.device, "telemetry")
        )

    def revoke_device(self, who: Principal, device: str) -> bool:
        now = self._shared.clocks.of(who.tenant).now()
        try:
            wall = self._shared.system.now()
            registry.revoke_device(self._shared.database, who.tenant, device, now=now, actor=who.actor, wall=wall)
        except registry.UnknownDevice:
            return False
        return True


def _device(d: registry.Device) -> Device:
    return Device(d.tenant, d.device, d.model, d.state, d.username, d.last_seen, d.online)


def refusal_of(q: Quarantined) -> Refusal:
    """An entry of the quarantine in words."""
    path = q.path
    more = f" ({q.refused} refusals in this message)" if q.refused > 1 else ""
    text = f"{RULES[q.reason].capitalize()}{_value_at(q.body, path)}{more}."
    return Refusal(
        str(q.id), q.device, q.reason, path, text, q.received_at, q.body[:BODY_SHOWN].decode(errors="replace"),
        REMEDIES[q.reason], q.state,
    )  # fmt: skip


def _value_at(body: bytes, path: str) -> str:
    """The refused value itself, where the path leads to one: ` (it was 900)`."""
    try:
        at = msgspec.json.decode(body)
        for part in path.replace("[", ".").replace("]", "").split(".", 3):
            at = at[int(part)] if isinstance(at, list) else at[part]
    except (msgspec.DecodeError, KeyError, IndexError, ValueError, TypeError, RecursionError):
        return ""
    return f" (it was {str(at)[:60]})" if isinstance(at, str | int | float | bool) else ""
