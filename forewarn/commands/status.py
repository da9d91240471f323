"""`forewarn status`, `forewarn doctor`."""

import argparse
import json
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from forewarn import home as homes
from forewarn.commands.notices import mail_in, mail_out
from forewarn.environment import Failed, home_of
from forewarn.web import Web, WebError

LOW_DISK_BYTES = 1_000_000_000


def status(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """What runs on this home; exit 1 when nothing does or something is unwell."""
    home = home_of(environ)
    running = homes.find(home)
    if running is None:
        raise Failed(f"nothing runs on {home}. Start it with: forewarn up")
    said: dict[str, Any] = {"home": str(home), "pid": running.pid, "http": running.http, "mqtt": running.mqtt}
    said["ready"] = _unwell(running)
    if said["ready"] == "":
        said["devices"] = _devices(environ)
    if given.json:
        print(json.dumps(said, indent=1, default=str))
    else:
        print(f"running    process {running.pid} on {home}")
        print(f"pages      {running.http}")
        print(f"broker     {running.mqtt}")
        print(f"health     {'all well' if said['ready'] == '' else said['ready']}")
        for device in said.get("devices", []):
            seen = device["last_seen"].isoformat(timespec="seconds") if device["last_seen"] else "never"
            print(f"device     {device['tenant']}/{device['device']}  {device['model']}  last heard {seen}")
    return 0 if said["ready"] == "" else 1


def _devices(environ: Mapping[str, str]) -> list[dict[str, Any]]:
    """The devices of all tenants, as `device list` shows them."""
    from forewarn.commands.devices import find_database
    from ingest.service.registry import list_devices

    return [asdict(device) for device in list_devices(find_database(environ))]


def doctor(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Check one thing a line and say what to do; exit 1 when something needs doing."""
    home = home_of(environ)
    wrong = 0

    def line(ok: bool, what: str, remedy: str = "") -> None:
        nonlocal wrong
        wrong += not ok
        print(f"{'good' if ok else 'BAD '}  {what}" + ("" if ok else f"\n      {remedy}"))

    line(sys.version_info >= (3, 11), f"Python {sys.version.split()[0]}", "install Python 3.11 or newer")
    for check in (_home, _database, _influx, _broker, _models, _certificates, mail_out, mail_in):
        line(*check(environ, home))
    disk = shutil.disk_usage(_nearest(home)).free
    line(disk > LOW_DISK_BYTES, f"{disk / 1e9:.1f} GB free on its disk", "make room: below 1 GB stores may stop")
    running = homes.find(home)
    if running:
        unwell = _unwell(running)
        line(
            not unwell, f"product: {unwell or 'answers, all its parts are ready'}", f"look at what {running.pid} prints"
        )
    print(f"note  {'runs as process ' + str(running.pid) if running else 'nothing runs on this home now'}")
    return 1 if wrong else 0


def _nearest(home: Path) -> Path:
    """The home folder, else the first folder above it that exists."""
    return next(folder for folder in (home, *home.parents) if folder.exists())


def _home(environ: Mapping[str, str], home: Path) -> tuple[bool, str, str]:
    there = _nearest(home)
    if not (there.is_dir() and os.access(there, os.W_OK)):
        return False, f"home folder {home}: {there} cannot be written", "choose another with --data-dir"
    return True, f"home folder {home} " + ("can be written" if there == home else "is made at the first start"), ""


def _unwell(running: homes.Running) -> str:
    """What is wrong with a running product; empty = nothing."""
    try:
        return Web(running.http, running.api_key).ready()
    except WebError as failure:
        return str(failure)


def _database(environ: Mapping[str, str], home: Path) -> tuple[bool, str, str]:
    from sqlalchemy.exc import SQLAlchemyError

    from forewarn.product import open_database
    from plumbing import migrate

    url = environ.get("FOREWARN_DATABASE_URL")
    if not url and not (home / "forewarn.sqlite").exists():
        return True, "SQL: SQLite, made at the first start", ""
    try:
        database = open_database(environ, home)
        migrate.check(database)
    except migrate.NotMigrated as old:
        return False, f"SQL: {old}", "run: forewarn migrate"
    except (SQLAlchemyError, OSError) as failure:
        return False, f"SQL: {str(failure).splitlines()[0]}", "check FOREWARN_DATABASE_URL and that the server runs"
    return True, f"SQL: {database.dialect}, tables up to date", ""


def _influx(environ: Mapping[str, str], home: Path) -> tuple[bool, str, str]:
    if not environ.get("FOREWARN_INFLUX_URL"):
        return True, "telemetry: DuckDB in the home folder", ""
    from forewarn.product import open_store

    store = open_store(environ, home)
    ok = store.ready()
    store.close()
    return ok, "telemetry: InfluxDB", "check FOREWARN_INFLUX_URL and FOREWARN_INFLUX_TOKEN, and that it runs"


def _broker(environ: Mapping[str, str], home: Path) -> tuple[bool, str, str]:
    import socket

    from plumbing.mqtt import BrokerAddress

    if not (url := environ.get("FOREWARN_MQTT_URL")):
        return True, "broker: embedded", ""
    try:
        address = BrokerAddress.of(url)
        with socket.create_connection((address.host, address.port), timeout=3):
            return True, f"broker: {address.host}:{address.port} answers", ""
    except (ValueError, OSError) as failure:
        return False, f"broker: {failure}", "check FOREWARN_MQTT_URL and that the broker runs"


def _models(environ: Mapping[str, str], home: Path) -> tuple[bool, str, str]:
    from plumbing.model_files import check_file

    own = sorted((home / "asset_models").glob("*.yaml"))
    faults = [fault for path in own for fault in check_file(path)]
    remedy = "\n      ".join(map(str, faults))
    return not faults, f"asset models of your own: {len(own)}", remedy


def _certificates(environ: Mapping[str, str], home: Path) -> tuple[bool, str, str]:
    """Whether a device's last certificate ends soon."""
    from sqlalchemy.exc import SQLAlchemyError

    from forewarn.product import open_database
    from ingest.service.certificates import WARN_WITHIN, ending
    from plumbing.system_clock import SystemClock

    if not environ.get("FOREWARN_DATABASE_URL") and not (home / "forewarn.sqlite").exists():
        return True, "certificates: none yet", ""
    wall = SystemClock().now()
    try:
        soon = ending(open_database(environ, home), wall)
    except (SQLAlchemyError, OSError):
        return True, "certificates: not looked at, the database does not answer", ""
    named = ", ".join(f"{c.tenant}/{c.device} ({c.days_left(wall)} days)" for c in soon[:10])
    what = f"certificates: {len(soon)} end within {WARN_WITHIN.days} days" + (f": {named}" if soon else "")
    return not soon, what, "run: forewarn device certificate NAME, and take the files to the device"
