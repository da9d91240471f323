"""The quarantine: look at it, mend it by rules, replay it, let it expire."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

from api.owners.devices import refusal_of
from api.problems import Problem, bad_field
from api.quarantine_views import Entry, Outcome, Outcomes
from api.roles import Principal
from contracts.points import StoreUnreachable
from ingest.service.mappings import BadRule, KeptRule, Rule, drop_rule, keep_rules, list_rules
from ingest.service.quarantine import expire, find_entry
from ingest.service.replay import ReplayBusy, Replayed, replay
from plumbing.runtime import Shared
from plumbing.ucum import UcumUnits

AT_ONCE = 200
BODY_SHOWN = 100_000


class Quarantine:
    """Questions and commands about what was not accepted."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def entry(self, who: Principal, id: str) -> Entry | None:
        found = find_entry(self._shared.database, who.tenant, int(id)) if id.isdecimal() and len(id) < 19 else None
        if found is None:
            return None
        shown = refusal_of(found)
        return Entry(
            shown.id, found.device, found.state, found.reason, found.path, shown.text, shown.remedy, found.received_at,
            found.topic, found.boot_id, found.seq, found.size, found.refused, found.refusals, found.replayed,
            found.moved_at, found.moved_by, found.body[:BODY_SHOWN].decode(errors="replace"),
        )  # fmt: skip

    def replay(
        self, who: Principal, *, ids: Sequence[str] | None = None, device: str = "", reason: str = "", after: str = ""
    ) -> Outcomes:
        """Replay the next ones. Raises Problem."""
        numbers = _numbers(ids)
        try:
            done = replay(
                self._shared, who.tenant, ids=numbers, device=device or None, reason=reason or None,
                after=int(after) if after.isdecimal() else 0, most=AT_ONCE, actor=who.actor,
            )  # fmt: skip
        except ReplayBusy as busy:
            raise Problem(409, str(busy)) from busy
        except StoreUnreachable as failure:
            raise Problem(503, f"The telemetry store does not answer: {failure}") from failure
        return Outcomes(
            [_outcome(d) for d in done], sum(d.samples for d in done), sum(d.state == "replayed" for d in done),
            sum(d.state == "kept" for d in done), str(done[-1].id) if len(done) == AT_ONCE else None,
        )  # fmt: skip

    def expire(
        self, who: Principal, *, ids: Sequence[str] | None = None, device: str = "", older_days: float | None = None
    ) -> int:
        """Give entries up; returns how many."""
        now = self._shared.clocks.of(who.tenant).now()
        before = None
        if older_days is not None:
            with suppress(OverflowError):
                before = now - timedelta(days=older_days)
            if before is None:
                raise bad_field("older_days", older_days, "0 to 100,000")
        return expire(
            self._shared.database, who.tenant, ids=_numbers(ids), before=before, device=device or None, now=now,
            actor=who.actor,
        )  # fmt: skip

    def rules(self, who: Principal) -> list[KeptRule]:
        return list_rules(self._shared.database, who.tenant)

    def keep_rules(
        self, who: Principal, scope: str, owner: str, rules: Sequence[Rule], *, from_now_on: bool
    ) -> list[KeptRule]:
        """Raises Problem."""
        try:
            keep_rules(
                self._shared.database, who.tenant, scope, owner, rules, from_now_on=from_now_on,
                models=self._shared.models, units=UcumUnits(), now=self._shared.clocks.of(who.tenant).now(),
                actor=who.actor,
            )  # fmt: skip
        except BadRule as fault:
            raise bad_field(fault.field, fault.value, fault.rule) from fault
        return self.rules(who)

    def drop_rule(self, who: Principal, scope: str, owner: str, kind: str, name: str) -> list[KeptRule]:
        """Raises Problem."""
        now = self._shared.clocks.of(who.tenant).now()
        try:
            drop_rule(self._shared.database, who.tenant, scope, owner, kind, name, now=now, actor=who.actor)
        except BadRule as fault:
            raise bad_field(fault.field, fault.value, fault.rule, 404) from fault
        return self.rules(who)


def _numbers(ids: Sequence[str] | None) -> list[int] | None:
    if ids is None:
        return None
    for id in ids:
        if not (id.isdecimal() and len(id) < 19):
            raise bad_field("ids", id, "numbers of entries")
    return [int(id) for id in ids]


def _outcome(done: Replayed) -> Outcome:
    return Outcome(str(done.id), done.device, done.state, done.samples, done.refused, done.words)
