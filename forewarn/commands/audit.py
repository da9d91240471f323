"""`forewarn audit verify`, `forewarn audit key`, `forewarn audit prove`: they read the database itself, also of a
product that is stopped."""

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict

from sqlalchemy.exc import SQLAlchemyError

from forewarn.environment import Failed, WrongUse, home_of
from forewarn.product import open_database
from plumbing import audit as chain
from plumbing import audit_key
from plumbing.audit_signing import newest_noted, prove
from plumbing.audit_verify import find_fault
from plumbing.sql import Database


def _database(environ: Mapping[str, str]) -> Database:
    home = home_of(environ)
    if not environ.get("FOREWARN_DATABASE_URL") and not (home / "forewarn.sqlite").exists():
        raise Failed(f"{home} holds no database yet")
    return open_database(environ, home)


def _trouble(failure: SQLAlchemyError) -> Failed:
    said = str(failure).splitlines()[0]
    return Failed(f"the database cannot be read: {said} (is it of this version? see: forewarn migrate)")


def _keys(given: list[str] | None, environ: Mapping[str, str]) -> list[str]:
    """Keys that checkpoints may be signed with: those that are named, and the one that this computer has."""
    try:
        keys = [audit_key.named_public(k) for k in given or []]
    except audit_key.BadKey as bad:
        raise WrongUse(f"--key: {bad}") from bad
    try:
        own = audit_key.find_public(environ, home_of(environ))
    except (audit_key.BadKey, OSError) as bad:
        raise Failed(str(bad)) from bad
    return [*keys, own] if own else keys


def verify(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Verify every tenant's chain; exit 1 with the first bad number."""
    keys, noted = _keys(given.key, environ), newest_noted(home_of(environ))
    try:
        with _database(environ).snapshot() as connection:  # a chain goes on while it is looked at
            tenants = sorted({*chain.tenants(connection), *noted})
            found = {t: find_fault(connection, t, keys, noted.get(t)) for t in tenants}
            signed = {t: chain.signed_up_to(connection, t) for t in tenants}
    except (Failed, SQLAlchemyError) as failure:
        if given.json:
            print(json.dumps({"ok": False, "first_bad_seq": None, "kind": "unreadable"}))
        raise failure if isinstance(failure, Failed) else _trouble(failure) from failure
    bad = {t: fault for t, fault in found.items() if fault is not None}
    first = min(bad, key=lambda t: bad[t].seq, default=None)
    if given.json:
        said: dict[str, object] = {"ok": True, "first_bad_seq": None, "kind": None}
        if first is not None:
            faults = {t: {"first_bad_seq": f.seq, "kind": f.kind} for t, f in bad.items()}
            said = {"ok": False, **faults[first], "tenant": first, "faults": faults}
        print(json.dumps(said))
    elif not tenants:
        print("Nothing is on record yet.")
    else:
        for tenant, fault in found.items():
            whole = f"intact, signed up to entry {signed.get(tenant, 0)}"
            print(f"{tenant}: {whole if fault is None else f'entry {fault.seq} does not fit: {fault.kind}'}")
        if not keys:
            print("note: no key here and none given: a forger with a key of his own would not be told", file=sys.stderr)
    return 1 if bad else 0


def key(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Print the public key; it is made where there is none."""
    try:
        print(audit_key.load(environ, home_of(environ)).public)
    except (audit_key.BadKey, OSError) as bad:
        raise Failed(str(bad)) from bad
    return 0


def proof(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Print the proof of one entry as JSON, for `forewarn verify`."""
    try:
        with _database(environ).read() as connection:
            found = prove(connection, given.tenant, given.seq)
    except SQLAlchemyError as failure:
        raise _trouble(failure) from failure
    if found is None:
        raise Failed(f"no checkpoint of {given.tenant} signs an entry {given.seq} (yet: at most five minutes)")
    print(json.dumps({"v": 1, "proofs": [asdict(found)]}, ensure_ascii=False, indent=1))
    return 0
