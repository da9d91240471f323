"""`forewarn device suspend|resume|import|claim-code|certificate|certificates`."""

import argparse
import csv
import io
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from forewarn import home as homes
from forewarn.accounts import pki_of
from forewarn.commands.devices import find_database, no_device, open_home
from forewarn.environment import Failed, WrongUse, home_of
from ingest.domain.lifecycle import IllegalTransition
from ingest.service import certificates as issued
from ingest.service import claims, registry, roster
from plumbing.model_files import ModelFiles
from plumbing.pki import PkiFault
from plumbing.runtime import Shared
from plumbing.stores.absent import NoStore
from plumbing.system_clock import SystemClock
from plumbing.tenants import TenantClocks

if TYPE_CHECKING:
    from segno import QRCode


def suspend(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Keep a device out for now."""
    return _move(given, environ, "suspended", f"{given.tenant}/{given.name} is let in no more until it is resumed.")


def resume(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Let it in again."""
    return _move(
        given, environ, "created", f"{given.tenant}/{given.name} is let in again, with the secret that it has."
    )


def _move(given: argparse.Namespace, environ: Mapping[str, str], state: str, words: str) -> int:
    database = find_database(environ)
    now = TenantClocks(database, SystemClock()).of(given.tenant).now()
    act = registry.suspend_device if state == "suspended" else registry.resume_device
    try:
        act(database, given.tenant, given.name, now=now)
    except registry.RegistryFault as fault:
        raise WrongUse(str(fault)) from fault
    except IllegalTransition as fault:
        raise Failed(str(fault)) from fault
    print(json.dumps({"tenant": given.tenant, "device": given.name, "state": state}) if given.json else words)
    return 0


def import_(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Register the devices of a file, all or none; their secrets go into a file for the owner alone."""
    from work_orders.service.installed_base import add_asset

    try:
        rows = roster.read_roster(given.file.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as failure:
        raise Failed(f"file: {str(given.file)!r} cannot be read: {failure}") from failure
    except roster.BadRoster as bad:
        raise Failed(f"{bad}\nNothing was registered.") from bad
    out = given.secrets or given.file.with_suffix(".secrets.csv")
    try:
        handle = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as failure:
        raise WrongUse(
            f"secrets: {str(out)!r} cannot be made: {failure.strerror}. Secrets overwrite nothing"
        ) from failure
    home, database = open_home(environ)
    system = SystemClock()
    clocks, models = TenantClocks(database, system), ModelFiles(home)
    made: list[registry.NewDevice] = []
    with os.fdopen(handle, "w", newline="") as file:
        try:
            now = clocks.of(given.tenant).now()
            made = roster.add_devices(database, given.tenant, rows, now=now, models=models)
            text = io.StringIO(newline="")
            writer = csv.writer(text)
            writer.writerow(("tenant", "name", "username", "secret"))
            writer.writerows((new.tenant, new.device, new.username, new.password) for new in made)
            file.write(text.getvalue())
        except roster.BadRoster as bad:
            raise Failed(f"{bad}\nNothing was registered.") from bad
        finally:
            if not made:
                out.unlink()
    shared = Shared(home, database, system, clocks, NoStore(), models)
    for row in rows:
        add_asset(shared, given.tenant, row.name, row.model)
    said = {"tenant": given.tenant, "devices": len(made), "secrets": str(out)}
    print(
        json.dumps(said) if given.json else f"Registered {len(made)} devices. Their secrets are in {out}, nowhere else."
    )
    return 0


def code(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Make a one-time code, as text and, if wanted, for a camera."""
    database = find_database(environ)
    system = SystemClock()
    now = TenantClocks(database, system).of(given.tenant).now()
    try:
        made = claims.make_code(
            database, given.tenant, given.name, now=now, wall=system.now(), life=timedelta(minutes=given.minutes)
        )
    except (registry.RegistryFault, OverflowError) as fault:
        raise WrongUse(str(fault)) from fault
    except IllegalTransition as fault:
        raise Failed(str(fault)) from fault
    running = homes.find(home_of(environ))
    address = environ.get("FOREWARN_HTTP_URL") or (running.http if running else "http://127.0.0.1:8420")
    url = f"{address.rstrip('/')}/api/v1/claims"
    if given.svg:
        _draw(made.code, url).save(str(given.svg), scale=4, border=4)
    if given.json:
        print(json.dumps({**asdict(made), "expires_at": made.expires_at.isoformat(), "claim": url}))
        return 0
    print(f"Claim code of {made.tenant}/{made.device}, good once, until {made.expires_at:%Y-%m-%d %H:%M} UTC:")
    print(f"  code   {made.code}")
    print(f'  claim  curl --json \'{{"code": "CODE"}}\' {url}')
    if given.qr:
        _draw(made.code, url).terminal(compact=True, border=2)
    return 0


def _draw(code: str, url: str) -> "QRCode":
    """The code with where to claim it. In the fragment it reaches no server's log."""
    import segno

    return segno.make(f"{url}#{code}", error="m", micro=False)


def certificate(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Issue a certificate, or revoke."""
    database, home = find_database(environ), home_of(environ)
    system = SystemClock()
    wall, now = system.now(), TenantClocks(database, system).of(given.tenant).now()
    device = registry.find_device(database, given.tenant, given.name)
    if device is None:
        raise no_device(database, given.tenant, given.name)
    try:
        if given.revoke:
            serial = "" if given.revoke == "all" else given.revoke.lower()
            gone = issued.revoke_certificates(database, given.tenant, given.name, now=now, wall=wall, serial=serial)
            print(json.dumps({"revoked": gone}) if given.json else f"Revoked: {', '.join(gone) or 'there was none'}")
            return 0
        folder = given.out or Path(f"{given.name}-certificate")
        if any((folder / name).exists() for name in ("device.key", "device.crt")):
            raise WrongUse(f"out: {str(folder)!r} holds a certificate already; keys overwrite nothing")
        request = given.csr.read_bytes() if given.csr else None
        pki = pki_of(environ, home)
        made = issued.issue_certificate(
            database, pki.authority(wall), given.tenant, given.name, now=now, wall=wall,
            life=timedelta(days=given.days), request=request,
        )  # fmt: skip
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, text, mode in (
            ("device.key", made.key, 0o600),
            ("device.crt", made.certificate, 0o644),
            ("ca.crt", pki.certificate.read_text(), 0o644),
        ):
            if text:
                with os.fdopen(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
                    file.write(text)
        gone = []
        if given.void_others:
            gone = issued.revoke_certificates(database, given.tenant, given.name, now=now, wall=wall, keep=made.serial)
    except (OSError, PkiFault, registry.RegistryFault) as fault:
        raise WrongUse(str(fault)) from fault
    running = homes.find(home)
    broker = running.mqtts if running and running.mqtts else "mqtts://HOST:8884"
    url = broker.replace("mqtts://", f"mqtts://{quote(device.username, safe='')}@")
    if given.json:
        said = {"serial": made.serial, "not_after": made.not_after.isoformat(), "folder": str(folder), "mqtts": url}
        print(json.dumps({**said, "revoked": gone}))
        return 0
    print(f"Certificate {made.serial} of {device.username}, until {made.not_after:%Y-%m-%d}, is in {folder}:")
    print("  device.crt  device.key (this once)  ca.crt" if made.key else "  device.crt  ca.crt")
    print(f'  mqtt = "{url}" in agent.toml, with ca, certificate and key')
    if gone:
        print(f"  revoked  {', '.join(gone)}")
    return 0


def certificates(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """A line a certificate."""
    wall = SystemClock().now()
    found = issued.list_certificates(find_database(environ), given.tenant)
    if given.json:
        print(json.dumps([{**asdict(each), "days_left": each.days_left(wall)} for each in found], default=str))
        return 0
    for each in found:
        left = each.days_left(wall)
        state = "revoked" if each.revoked_at else "ended" if left < 0 else f"{left} days left"
        print(f"{each.tenant}/{each.device:24} {each.serial:40} until {each.not_after:%Y-%m-%d}  {state}")
    if not found:
        print(f"No certificate in tenant {given.tenant}. Issue one: forewarn device certificate NAME")
    return 0
