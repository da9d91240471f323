"""`forewarn command send|list|show|approve|cancel|guarded|key|enable`."""

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from forewarn import home as homes
from forewarn.environment import Failed, WrongUse, home_of
from forewarn.web import Web, WebError

API_KEY = "FOREWARN_API_KEY"
LOOK_S = 0.3


def _web(given: argparse.Namespace, environ: Mapping[str, str]) -> Web:
    """The running product as the person of --key-file or FOREWARN_API_KEY sees it, else as run.json's."""
    running = homes.find(home_of(environ))
    if running is None:
        raise Failed(f"nothing runs on {home_of(environ)}. Start it with: forewarn up")
    return Web(running.http, _key(given.key_file, environ) or running.api_key)


def _key(file: Path | None, environ: Mapping[str, str]) -> str:
    """An API key; no word repeats it."""
    text, where = environ.get(API_KEY, ""), API_KEY
    if file is not None:
        where = f"--key-file {str(file)!r}"
        try:
            text = file.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError) as failure:
            raise WrongUse(f"{where}: cannot be read: {type(failure).__name__}") from failure
    elif not text:
        return ""
    if not text.isascii() or not text.isprintable() or not text or " " in text:
        raise WrongUse(f"{where}: must hold an API key and nothing else (forewarn token create)")
    return text


def _asked(call: Any, *given: Any, **more: Any) -> Any:
    try:
        return call(*given, **more)
    except WebError as no:
        if no.status in (404, 422):
            raise WrongUse(str(no)) from no
        raise Failed(str(no)) from no


def send(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Send a command; with --wait until it has ended."""
    web = _web(given, environ)
    body: dict[str, Any] = {"name": given.name, "args": dict(map(_argument, given.args)), "why": given.why}
    if given.lifetime is not None:
        body["lifetime_s"] = given.lifetime
    made = _asked(web.post, f"/api/v1/devices/{given.tenant}/{given.device}/commands", body)
    while given.wait and not made["ended_at"]:
        time.sleep(LOOK_S)
        made = _asked(web.get, f"/api/v1/commands/{made['id']}", tenant=given.tenant)
    _show(made, given.json)
    return 0 if made["state"] in ("done", "queued", "offered", "granted", "started", "waiting_approval") else 1


def _argument(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise WrongUse(f"{text!r} must be NAME=VALUE")
    if value.startswith("["):
        return name, [part.strip() for part in value.strip("[]").split(",") if part.strip()]
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def list_(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """The commands of a tenant, newest first."""
    asked = {"tenant": given.tenant, "limit": given.limit, "asset": given.device or "", "state": given.state or ""}
    found = _asked(_web(given, environ).get, "/api/v1/commands", **asked)["items"]
    if given.json:
        print(json.dumps(found, indent=1))
    for one in () if given.json else found:
        print(
            f"{one['id']:22} {one['issued_at'][:19]} {one['device']:20} {one['name']:20} {one['risk']:8} {one['state']}"
        )
    return 0


def show(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """One command with its result."""
    _show(_asked(_web(given, environ).get, f"/api/v1/commands/{given.id}", tenant=given.tenant), given.json)
    return 0


def approve(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Approve a guarded command that somebody else issued."""
    return _move(given, environ, "approve")


def cancel(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Take a command back that has not been granted yet."""
    return _move(given, environ, "cancel")


def _move(given: argparse.Namespace, environ: Mapping[str, str], action: str) -> int:
    web = _web(given, environ)
    try:
        moved = _asked(web.post, f"/api/v1/commands/{given.id}/{action}?tenant={given.tenant}")
    except Failed as no:
        if isinstance(no.__cause__, WebError) and no.__cause__.problem.get("field") == "person":
            raise Failed(f"{no}. With a key of his own: --key-file FILE, or {API_KEY}") from no
        raise
    _show(moved, given.json)
    return 0


def _show(of: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(of, indent=1))
        return
    words = of["text"] or of["progress"] or of["reason"]
    print(f"{of['id']}  {of['name']} of {of['device']} ({of['risk']}): {of['state']}" + (f": {words}" if words else ""))
    if of["result"]:
        print(json.dumps(of["result"], indent=1))


def guarded(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Switch guarded commands of a device on or off at the platform."""
    at = f"/api/v1/devices/{given.tenant}/{given.device}/guarded"
    found = _asked(_web(given, environ).post, at, {"on": given.switch == "on"})
    print(f"guarded commands of {given.device} are {'on' if found['guarded'] else 'off'} at the platform")
    return 0


def key(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """The platform's public key, for `[commands]` of an agent's file."""
    from forewarn.remote import command_key_of

    print(command_key_of(environ, home_of(environ)).public)
    return 0


def enable(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """At the machine: enable guarded commands of the agent on this computer for 15 minutes, or take it back."""
    from contracts.commands import ENABLED_S
    from edge_agent import settings
    from edge_agent.adapters import local_enable
    from plumbing.boot_clock import BootClock

    try:
        chosen = settings.load(given.config, environ)
    except settings.BadSettings as bad:
        raise WrongUse(str(bad)) from bad
    path = local_enable.path_of(chosen.outbox)
    if given.off:
        local_enable.disable(path)
        print("guarded commands are not enabled at this machine any more")
        return 0
    if not chosen.commands.guarded:
        raise Failed(f"guarded commands are switched off in {given.config}: guarded = true in [commands] first")
    try:
        local_enable.enable(path, BootClock(), given.by)
    except OSError as failure:
        raise Failed(f"{path} cannot be written: {failure}") from failure
    print(f"guarded commands are enabled at this machine for {ENABLED_S / 60:.0f} minutes")
    return 0
