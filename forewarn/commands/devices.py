"""`forewarn device add|list|revoke`, `import`, `ledger`."""

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote

from contracts.points import StoreUnreachable
from contracts.topics import topic
from forewarn import home as homes
from forewarn.environment import Failed, WrongUse, home_of
from forewarn.product import open_database, share
from forewarn.remote import handed_out
from forewarn.web import Web, WebError
from ingest.service import registry
from ingest.service.ledger import FIGURES, Ledger
from ingest.service.days import FIGURES as DAY_FIGURES
from ingest.service.ledger import ledger as read_ledger
from ingest.service.ledger_report import Report, report
from ingest.service.refusals import refused_publishes_of
from plumbing import migrate
from plumbing.model_files import ModelFiles
from plumbing.runtime import Shared
from plumbing.sql import Database
from plumbing.stores.absent import NoStore
from plumbing.system_clock import SystemClock
from plumbing.tenants import TenantClocks

BAR = 32


def open_home(environ: Mapping[str, str]) -> tuple[Path, Database]:
    """The home and its database, made where there is none."""
    home = home_of(environ)
    home.mkdir(parents=True, exist_ok=True)
    database = open_database(environ, home)
    if not environ.get("FOREWARN_DATABASE_URL"):
        migrate.upgrade(database)
    return home, database


def find_database(environ: Mapping[str, str]) -> Database:
    """The database, where there is one already."""
    home = home_of(environ)
    if not environ.get("FOREWARN_DATABASE_URL") and not (home / "forewarn.sqlite").exists():
        raise Failed(f"{home} holds no product yet. Start it once with: forewarn up")
    return open_home(environ)[1]


def no_device(database: Database, tenant: str, name: str) -> WrongUse:
    """What to say of a device that the tenant does not have: where it is, else how it comes to be."""
    words = f"device: tenant {tenant!r} has no device {name!r}"
    others = [d.tenant for d in registry.list_devices(database) if d.device == name]
    if others:
        return WrongUse(f"{words}; tenant {' and '.join(others)} has one. Try: --tenant {others[0]}")
    return WrongUse(f"{words}. Register it first: forewarn device add {name} --model MODEL")


def add(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Register a device, and the asset that it watches."""
    from work_orders.service.installed_base import add_asset

    home, database = open_home(environ)
    system = SystemClock()
    clocks = TenantClocks(database, system)
    models = ModelFiles(home)
    if models(given.model) is None:
        known = ", ".join(sorted(models.all()))
        raise WrongUse(f"model {given.model!r}: there is no asset model of this name. There are: {known}")
    try:
        made = registry.add_device(
            database, given.tenant, given.name, given.model, now=clocks.of(given.tenant).now(), models=models
        )
    except registry.RegistryFault as fault:
        raise WrongUse(str(fault)) from fault
    # the store is not needed, and may be held by a running product
    shared = Shared(home, database, system, clocks, NoStore(), models)
    add_asset(shared, given.tenant, given.name, given.model)
    running = homes.find(home)
    broker = running.mqtt if running else environ.get("FOREWARN_MQTT_URL", "mqtt://127.0.0.1:1883")
    address = broker.rpartition("@")[2].removeprefix("mqtt://")
    said = {
        **asdict(made),
        "mqtt": f"mqtt://{quote(made.username, safe='')}:{made.password}@{address}",
        "topic": topic(made.tenant, made.device, "telemetry"),
        "command_key": handed_out(environ, home),
    }
    if given.json:
        print(json.dumps(said))
        return 0
    print(f"Registered {made.tenant}/{made.device} ({given.model}). The secret is shown this once:")
    for name in ("username", "password", "mqtt", "topic"):
        print(f"  {name:9} {said[name]}")
    if said["command_key"]:
        print(f'To take commands, an agent has in its agent.toml:\n  [commands]\n  key = "{said["command_key"]}"')
    return 0


def list_(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """A line a device."""
    database = find_database(environ)
    found = registry.list_devices(database, given.tenant)
    if given.json:
        print(json.dumps([asdict(device) for device in found], default=str))
        return 0
    for device in found:
        seen = device.last_seen.isoformat(timespec="seconds") if device.last_seen else "never heard"
        print(f"{device.tenant}/{device.device:24} {device.model:20} {device.state:9} {seen}")
    if not found:
        where = f"in tenant {given.tenant}" if given.tenant else "yet"
        print(f"No device {where}. Register one: forewarn device add NAME --model MODEL")
    return 0


def revoke(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Take a device's access away."""
    database = find_database(environ)
    now = TenantClocks(database, SystemClock()).of(given.tenant).now()
    try:
        registry.revoke_device(database, given.tenant, given.name, now=now)
    except registry.UnknownDevice as unknown:
        raise no_device(database, given.tenant, given.name) from unknown
    except registry.RegistryFault as fault:
        raise WrongUse(str(fault)) from fault
    if given.json:
        print(json.dumps({"tenant": given.tenant, "device": given.name, "state": "revoked"}))
    else:
        print(f"{given.tenant}/{given.name} is let in no more; its readings and its account stay.")
    return 0


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
    for name, words in (("silent_s", "silent for"), ("backlog_s", "age of what arrives"), ("skew_s", "its clock ahead")):
        if told[name] is not None:
            print(f"  link     {words} {told[name]:.1f} s")
    for x in told["losses"]:
        print(f"  lost     {x['boot_id']} {x['first']}..{x['last']}: {x['reason']}, known since {x['at']}")
    for d in told["days"]:
        print(f"  day      {d['day']}  " + "  ".join(f"{name} {d[name]}" for name in DAY_FIGURES))
    for s in told["signals"]:
        usual = "unknown" if s["interval_s"] is None else f"{s['interval_s']:g} s"
        print(f"  signal   {s['signal']:20} every {usual}, newest {s['last_at']}")
    for d in told["signal_days"]:
        of = "" if d["expected"] is None else f" of {d['expected']} expected"
        bad = "".join(f", {reason} {n}" for reason, n in sorted(d["quarantined"].items()))
        print(f"  by day   {d['day']} {d['signal']:20} {d['stored']} stored{of}{bad}")


def _print(found: Ledger) -> None:
    print(f"{found.tenant}/{found.device}: sent = stored + quarantined + discarded + lost + waiting")
    for title, sums in (("live", found.sums()), ("history", found.sums(history=True))):
        if sums["sent"]:
            print(f"  {title:8} " + "  ".join(f"{name} {sums[name]}" for name in FIGURES))
    for reason, n in sorted(found.refused.items()):
        print(f"  refused  {reason}: {n} value{'s' if n != 1 else ''}")
    for entry in found.outboxes:
        for first, last in entry.missing:
            print(f"  waiting  {entry.boot_id} {first}..{last}")
    if not any(e.sent for e in found.outboxes):
        print("  nothing was heard from it yet")


def import_(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Load a file of history, through the running product where one holds the store."""
    home = home_of(environ)
    running = homes.find(home)
    said = _import_there(given, running, find_database(environ)) if running else _import_here(given, environ, home)
    for fault in said["faults"]:
        print(f"  refused  {fault}", file=sys.stderr)
    for note in said["notes"]:
        print(f"  note     {note}")
    print(
        f"{given.file.name}: {said['rows']} rows, {said['stored']} stored, {said['repeated']} were there before,"
        f" {said['quarantined']} quarantined, {said['refused']} values refused"
    )
    return 0


def _import_there(given: argparse.Namespace, running: homes.Running, database: Database) -> dict[str, Any]:
    web = Web(running.http, running.api_key)
    try:
        answer: dict[str, Any] = web.upload(
            f"/api/v1/devices/{given.tenant}/{given.device}/history",
            given.file,
            time=given.time or "",
            name=given.file.name,
        )
    except WebError as refused:
        if refused.status == 404:
            raise no_device(database, given.tenant, given.device) from refused
        raise Failed(str(refused)) from refused
    return answer


def _import_here(given: argparse.Namespace, environ: Mapping[str, str], home: Path) -> dict[str, Any]:
    from ingest.adapters.history_file import BadHistoryFile, import_file

    _, database = open_home(environ)
    database.close()
    with homes.held(home):
        shared = share(environ, home, SystemClock())
        try:
            done = import_file(
                shared, given.file, device=given.device, tenant=given.tenant, time_column=given.time, progress=bar
            )
        except registry.UnknownDevice as unknown:
            raise no_device(shared.database, given.tenant, given.device) from unknown
        except BadHistoryFile as fault:
            raise Failed(str(fault)) from fault
        finally:
            shared.store.close()
            shared.database.close()
    return {**asdict(done), "faults": list(map(str, done.faults))}


def bar(done: int, total: int) -> None:
    """A progress bar on the terminal; nothing where there is none."""
    if sys.stderr.isatty():
        full = BAR * done // max(total, 1)
        end = "\n" if done >= total else ""
        print(f"\r  [{'#' * full}{'.' * (BAR - full)}] {done} of {total} rows", end=end, file=sys.stderr, flush=True)
