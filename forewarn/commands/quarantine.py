"""`forewarn quarantine list|show|replay|expire|rules|drop`."""

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from forewarn import home as homes
from forewarn.commands.devices import find_database
from forewarn.environment import Failed, WrongUse, home_of
from forewarn.product import share
from forewarn.web import Web, WebError
from ingest.domain.mapping import FACTOR, SIGNAL, UNIT, Rule
from ingest.service.mappings import DEVICE, MODEL, BadRule, drop_rule, keep_rules, list_rules
from ingest.service.quarantine import Quarantined, expire, find_entry, quarantine_page
from plumbing.model_files import ModelFiles
from plumbing.sql import Database
from plumbing.system_clock import SystemClock
from plumbing.tenants import TenantClocks

AT_ONCE = 200
BODY_SHOWN = 2_000


def list_(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Entries, newest first."""
    found = quarantine_page(
        find_database(environ), given.tenant, given.device, reason=given.reason, state=given.state, before=given.before,
        limit=given.limit,
    )  # fmt: skip
    if given.json:
        print(json.dumps([_plain(q) for q in found], default=str))
        return 0
    for q in found:
        print(
            f"{q.id:8} {q.received_at.isoformat(timespec='seconds')} {q.device:24} {q.state:9} {q.reason:15}"
            f" {q.refused:6} refused  {q.path}"
        )
    if not found:
        print("Nothing of that kind is in quarantine.")
    return 0


def show(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """One entry with its message."""
    found = find_entry(find_database(environ), given.tenant, given.id)
    if found is None:
        raise WrongUse(f"id: tenant {given.tenant!r} has no entry {given.id}")
    if given.json:
        print(json.dumps(_plain(found), default=str))
        return 0
    print(f"{found.id}  {found.tenant}/{found.device}  {found.state}  received {found.received_at.isoformat()}")
    print(f"  topic    {found.topic}")
    if found.seq:
        print(f"  numbers  {found.boot_id} from {found.seq}")
    if found.moved_at:
        print(f"  changed  {found.moved_at.isoformat()} by {found.moved_by}; {found.replayed} samples stored by replay")
    for path, reason in found.refusals if found.state == "kept" else []:
        print(f"  refused  {reason}: {path or 'the message'}")
    print(f"  message  {found.size} bytes, {len(found.body)} kept")
    print(found.body[:BODY_SHOWN].decode(errors="replace"))
    return 0


def _plain(q: Quarantined) -> dict[str, Any]:
    return {**asdict(q), "body": q.body.decode(errors="replace")}


def replay(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Keep rules where some are given, then judge what is kept once more."""
    database = find_database(environ)
    rules = _rules(given)
    if rules:
        _keep(given, database, rules, ModelFiles(home_of(environ)))
    elif given.from_now_on:
        raise WrongUse("--from-now-on goes with --signal, --unit or --factor")
    running = homes.find(home_of(environ))
    if running:
        database.close()
        done = _all(_there(given, running))
    else:
        done = _here(given, environ, database)
    samples, left = sum(d["samples"] for d in done), sum(d["state"] == "kept" for d in done)
    if given.json:
        print(json.dumps({"items": done, "samples": samples, "replayed": len(done) - left, "kept": left}))
        return 0
    for d in done:
        print(f"{d['id']:>8} {d['device']:24} {d['state']:9} {d['samples']:6} samples stored  {d['words']}")
    print(f"{len(done)} messages: {samples} samples are stored now; {left} messages stay in quarantine")
    return 0


def _rules(given: argparse.Namespace) -> list[Rule]:
    out = []
    for kind, told in ((SIGNAL, given.signal), (UNIT, given.unit), (FACTOR, given.factor)):
        for each in told:
            name, found, to = each.rpartition("=")
            if not found or not name:
                raise WrongUse(f"--{kind} {each}: must be SENT=…, as in --{kind} tmp=…")
            out.append(Rule(kind, name, to))
    return out


def _keep(given: argparse.Namespace, database: Database, rules: list[Rule], models: ModelFiles) -> None:
    from plumbing.ucum import UcumUnits

    device = given.device
    if given.model is None and device is None:
        entry = find_entry(database, given.tenant, given.id[0]) if given.id else None
        if entry is None:
            raise WrongUse("a rule needs --device D or --model M")
        device = entry.device
    scope, owner = (MODEL, given.model) if given.model is not None else (DEVICE, device)
    try:
        keep_rules(
            database, given.tenant, scope, owner, rules, from_now_on=given.from_now_on, models=models,
            units=UcumUnits(), now=_now(database, given.tenant),
        )  # fmt: skip
    except BadRule as fault:
        raise WrongUse(str(fault)) from fault


def _now(database: Database, tenant: str) -> Any:
    return TenantClocks(database, SystemClock()).of(tenant).now()


def _all(step: Callable[[str], dict[str, Any]]) -> list[dict[str, Any]]:
    out: list[dict[str, Any]] = []
    after: str | None = ""
    while after is not None:
        answer = step(after)
        out += answer["items"]
        after = answer["next"]
    return out


def _there(given: argparse.Namespace, running: homes.Running) -> Callable[[str], dict[str, Any]]:
    web = Web(running.http, running.api_key)

    def step(after: str) -> dict[str, Any]:
        body: dict[str, Any] = {"device": given.device or "", "reason": given.reason or "", "after": after}
        if given.id:
            body["ids"] = list(map(str, given.id))
        try:
            answer: dict[str, Any] = web.post(f"/api/v1/quarantine/replay?tenant={given.tenant}", body)
        except WebError as no:
            raise Failed(str(no)) from no
        return answer

    return step


def _here(given: argparse.Namespace, environ: Mapping[str, str], database: Database) -> list[dict[str, Any]]:
    from contracts.points import StoreUnreachable
    from ingest.service.replay import ReplayBusy
    from ingest.service.replay import replay as again

    database.close()
    with homes.held(home_of(environ)):
        shared = share(environ, home_of(environ), SystemClock())
        try:
            done: list[dict[str, Any]] = []
            after = 0
            while True:
                some = again(
                    shared, given.tenant, ids=given.id or None, device=given.device, reason=given.reason, after=after,
                    most=AT_ONCE,
                )  # fmt: skip
                done += [asdict(d) for d in some]
                if len(some) < AT_ONCE:
                    return done
                after = some[-1].id
        except (StoreUnreachable, ReplayBusy) as failure:
            raise Failed(str(failure)) from failure
        finally:
            shared.store.close()
            shared.database.close()


def expire_(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Give entries up."""
    if not given.id and given.older is None and given.device is None:
        raise WrongUse("which ones? Give their ids, --device D or --older DAYS")
    database = find_database(environ)
    now = _now(database, given.tenant)
    before = None if given.older is None else now - timedelta(days=min(given.older, 100_000))
    gone = expire(database, given.tenant, ids=given.id or None, before=before, device=given.device, now=now)
    print(json.dumps({"expired": gone}) if given.json else f"{gone} messages were given up; they stay counted.")
    return 0


def rules(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """The rules that are kept."""
    found = list_rules(find_database(environ), given.tenant)
    if given.json:
        print(json.dumps([asdict(r) for r in found], default=str))
        return 0
    for r in found:
        live = "  from now on" if r.from_now_on else ""
        print(f"{r.scope:6} {r.owner:24} {r.kind:6} {r.name}={r.to}{live}")
    if not found:
        print("No rule is kept.")
    return 0


def drop(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Let a rule go."""
    database = find_database(environ)
    if (given.device is None) is (given.model is None):
        raise WrongUse("whose rule? Give --device D or --model M")
    scope, owner = (MODEL, given.model) if given.model is not None else (DEVICE, given.device)
    try:
        drop_rule(database, given.tenant, scope, owner, given.kind, given.name, now=_now(database, given.tenant))
    except BadRule as fault:
        raise WrongUse(str(fault)) from fault
    print(json.dumps({"dropped": given.name}) if given.json else "It is dropped; what it mended stays.")
    return 0
