"""`forewarn device foreign`: who a device is in another system."""

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from forewarn.commands.devices import find_database
from forewarn.environment import Failed, WrongUse
from ingest.service import foreign_names as names
from ingest.service.registry import RegistryFault
from plumbing.sql import Database
from plumbing.system_clock import SystemClock
from plumbing.tenants import TenantClocks


def foreign(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Say who a device is in another system; without a name, list all that have one."""
    database = find_database(environ)
    if given.name is None:
        return _list(given, database)
    if given.alias is not None and given.behind is None:
        raise WrongUse("--as NAME goes with --behind GATEWAY")
    if given.token_file is not None and not given.thingsboard:
        raise WrongUse("--token-file FILE goes with --thingsboard")
    now = TenantClocks(database, SystemClock()).of(given.tenant).now()
    signals, token = _signals(given.signal), None
    try:
        if given.sparkplug is not None:
            names.speak_sparkplug(database, given.tenant, given.name, given.sparkplug, signals=signals, now=now)
        elif given.thingsboard:
            old = _read_token(given.token_file) if given.token_file else None
            made = names.speak_thingsboard(database, given.tenant, given.name, token=old, signals=signals, now=now)
            token = None if old else made
        elif given.influx:
            names.speak_influx(database, given.tenant, given.name, signals=signals, now=now)
        elif given.behind is not None:
            alias = given.alias if given.alias is not None else given.name
            names.stand_behind(database, given.tenant, given.name, given.behind, alias, signals=signals, now=now)
        elif given.forget:
            names.forget_foreign(database, given.tenant, given.name, now=now)
        else:
            ways = "--sparkplug, --thingsboard, --influx, --behind, --forget"
            raise WrongUse(f"device foreign NAME: one of {ways} is missing")
    except RegistryFault as fault:
        raise WrongUse(str(fault)) from fault
    if given.json:
        print(json.dumps({"tenant": given.tenant, "device": given.name, "token": token}))
    elif token is not None:
        print(f"{given.tenant}/{given.name} signs in with this access token, which is shown this once:\n{token}")
    else:
        print(f"{given.tenant}/{given.name}: done.")
    return 0


def _list(given: argparse.Namespace, database: Database) -> int:
    found = names.foreign_names(database, given.tenant)
    if given.json:
        print(json.dumps([asdict(each) for each in found]))
        return 0
    for each in found:
        where = each.name or ("by its access token" if each.has_token else "by its account")
        if each.behind:
            where = f"behind {each.behind} as {each.name}"
        print(f"{each.tenant}/{each.device}\t{each.protocol}\t{where}")
    return 0


def _signals(told: list[str]) -> dict[str, str]:
    table = {}
    for each in told:
        there, found, signal = each.rpartition("=")
        if not found or not there:
            raise WrongUse(f"--signal {each}: must be THERE=SIGNAL; THERE= leaves it out, '*=' leaves out all others")
        table[there] = signal
    return table


def _read_token(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError as failure:
        raise Failed(f"--token-file {path}: {failure.strerror}") from failure
