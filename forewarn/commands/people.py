"""`forewarn link` and `forewarn token create`."""

import argparse
import sys
from collections.abc import Mapping

from api import service as identity
from forewarn import home as homes
from forewarn.environment import Failed, home_of
from forewarn.product import open_database
from plumbing.sql import Database
from plumbing.system_clock import SystemClock


def _there(environ: Mapping[str, str]) -> Database:
    home = home_of(environ)
    if not environ.get("FOREWARN_DATABASE_URL") and not (home / "forewarn.sqlite").exists():
        raise Failed(f"{home} holds no product yet. Start it once with: forewarn up")
    return open_database(environ, home)


def _first(database: Database, tenant: str, role: str) -> str:
    """Whose link it is where nobody is named: whoever has the newest notice or job, else the first by name."""
    from work_orders import queries

    with database.read() as connection:
        if role == "customer":
            told = [n.customer_id for n in queries.notices(connection, tenant, limit=1).items if n.customer_id]
            return (told or [p.id for p in queries.customers(connection, tenant)] or [""])[0]
        if role == "technician":
            sent = [o.technician_id for o in queries.orders(connection, tenant, limit=20).items if o.technician_id]
            return (sent or [p.id for p in queries.technicians(connection, tenant)] or [""])[0]
    return ""


def link(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Print a sign-in link that works once, within the hour."""
    database = _there(environ)
    running = homes.find(home_of(environ))
    address = environ.get("FOREWARN_HTTP_URL") or (running.http if running else "http://127.0.0.1:8420")
    subject = given.subject or _first(database, given.tenant, given.role)
    if not running and not environ.get("FOREWARN_HTTP_URL"):
        print("note: nothing runs on this home now; the link works once it does, on its address", file=sys.stderr)
    print(address + identity.make_link(database, SystemClock().now(), given.tenant, given.role, subject))
    return 0


def token(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Print a new API key; it is shown this once."""
    print(identity.create_key(_there(environ), SystemClock().now(), given.tenant, given.role, given.subject or ""))
    return 0
