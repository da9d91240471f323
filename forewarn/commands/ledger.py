"""`forewarn ledger`: every sample of a device, accounted for."""

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from contracts.points import StoreUnreachable
from forewarn import home as homes
from forewarn.commands.devices import find_database, no_device
from forewarn.environment import Failed, home_of
from forewarn.product import share
from forewarn.web import Web, WebError
from ingest.service import registry
from ingest.service.days import FIGURES as DAY_FIGURES
from ingest.service.ledger import Ledger
from ingest.service.ledger import ledger as read_ledger
from ingest.service.ledger_report import Report, report
from ingest.service.refusals import refused_publishes_of
from plumbing.model_files import ModelFiles
from plumbing.runtime import Shared
from plumbing.sql import Database
from plumbing.stores.absent import NoStore
from plumbing.system_clock import SystemClock
from plumbing.tenants import TenantClocks

LINK = {"silent_s": "silent for", "backlog_s": "age of what arrives", "skew_s": "its clock is ahead by"}


def ledger(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Every sample of a device, accounted for."""
    database = find_database(environ)
    device = registry.find_device(database, given.tenant, given.device)
    if device is None:
        raise no_device(database, given.tenant, given.device)
    found = read_ledger(database, given.tenant, given.device)
    at_broker = refused_publishes_of(database, device.username)
    told = _report(given, environ, database)
    if given.json:
        sums = {"sums": found.sums(), "history": found.sums(history=True)}
        print(json.dumps({**told, **asdict(found), **sums, "refused_by_broker": at_broker}, default=str))
        return 0
    _print(found)
    print_report(told)
    for topic_, n in sorted(at_broker.items()):
        print(f"  broker   refused {n} x {'sign-in' if topic_ == '' else 'publish on ' + topic_}")
    return 0


def _report(given: argparse.Namespace, environ: Mapping[str, str], database: Database) -> dict[str, Any]:
    """Days, losses, clock; by signal where wanted, of the running product where one holds the store."""
    system = SystemClock()
    home = home_of(environ)
    if not given.signals:
        shared = Shared(home, database, system, TenantClocks(database, system), NoStore(), ModelFiles(home))
        return _plain(report(shared, given.tenant, given.device, days=given.days, signals=False))
    running = homes.find(home)
    if running:
        web = Web(running.http, running.api_key)
        at = f"/api/v1/devices/{given.tenant}/{given.device}/ledger"
        try:
            return dict(web.get(at, tenant=given.tenant, days=given.days, signals=True))
        except WebError as no:
            raise Failed(str(no)) from no
    with homes.held(home):
        shared = share(environ, home, system)
        try:
            return _plain(report(shared, given.tenant, given.device, days=given.days))
        except StoreUnreachable as failure:
            raise Failed(str(failure)) from failure
        finally:
            shared.store.close()
            shared.database.close()


def _plain(told: Report) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(asdict(told), default=str))
    del made["ledger"]
    return made


def print_report(told: Mapping[str, Any]) -> None:
    """What is more than the sums."""
    for name, words in LINK.items():
        if told[name] is not None:
            print(f"  link     {words} {told[name]:.1f} s")
    _print_agent(told["agent"])
    for title, ranges in (
        ("lost", told["losses"]),
        ("moved", told["moved_ranges"]),
    ):
        for x in ranges:
            print(f"  {title:8} {x['boot_id']} {x['first']}..{x['last']}: {x['reason']}, known since {x['at']}")
    for d in told["days"]:
        print(f"  day      {d['day']}  " + "  ".join(f"{name} {d[name]}" for name in DAY_FIGURES))
    for s in told["signals"]:
        usual = "unknown" if s["interval_s"] is None else f"{s['interval_s']:g} s"
        print(f"  signal   {s['signal']:20} every {usual}, newest {s['last_at']}")
    for d in told["signal_days"]:
        of = "" if d["expected"] is None else f" of {d['expected']} expected"
        bad = "".join(f", {reason} {n}" for reason, n in sorted(d["quarantined"].items()))
        print(f"  by day   {d['day']} {d['signal']:20} {d['stored']} stored{of}{bad}")


def _print_agent(agent: Mapping[str, Any] | None) -> None:
    """What the agent says of itself, where there is something to say."""
    if agent is None:
        return
    if agent["problem"]:
        print(f"  agent    {agent['problem']}")
    if n := agent["not_taken"]:
        span = f"{agent['not_taken_first']} to {agent['not_taken_last']}"
        print(f"  agent    {n} readings never got a number: its disk did not take them ({span})")
    if n := agent["refused_too_large"]:
        print(f"  agent    {n} readings were larger than a message may be")
    if agent["set_aside"]:
        print(
            f"  agent    its outbox was damaged ({agent['why']}) and set aside as {agent['set_aside']}:"
            f" {agent['salvaged']} samples got out, {agent['unreadable']} gone"
        )


def _print(found: Ledger) -> None:
    print(f"{found.tenant}/{found.device}: sent = stored + quarantined + discarded + lost + waiting")
    for title, sums in (("live", found.sums()), ("history", found.sums(history=True))):
        if sums["sent"]:
            print(f"  {title:8} " + "  ".join(f"{name} {n}" for name, n in sums.items()))
    for reason, n in sorted(found.refused.items()):
        print(f"  refused  {reason}: {n} value{'s' if n != 1 else ''}")
    for entry in found.outboxes:
        for first, last in entry.missing:
            print(f"  waiting  {entry.boot_id} {first}..{last}")
    if not any(e.sent for e in found.outboxes):
        print("  nothing was heard from it yet")
