"""`forewarn device add|list|revoke`, `import`."""

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote

from contracts.topics import topic
from forewarn import home as homes
from forewarn.environment import Failed, WrongUse, home_of
from forewarn.product import open_database, share
from forewarn.remote import handed_out
from forewarn.web import Web, WebError
from ingest.service import registry
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
    system = SystemClock()
    now = TenantClocks(database, system).of(given.tenant).now()
    try:
        registry.revoke_device(database, given.tenant, given.name, now=now, wall=system.now())
    except registry.UnknownDevice as unknown:
        raise no_device(database, given.tenant, given.name) from unknown
    except registry.RegistryFault as fault:
        raise WrongUse(str(fault)) from fault
    if given.json:
        print(json.dumps({"tenant": given.tenant, "device": given.name, "state": "revoked"}))
    else:
        print(f"{given.tenant}/{given.name} is let in no more; its readings and its account stay.")
    return 0


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
