"""`forewarn link` and `forewarn token create`."""

import argparse
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


def link(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Print a sign-in link that works once, within the hour."""
    database = _there(environ)
    running = homes.find(home_of(environ))
    address = running.http if running else environ.get("FOREWARN_HTTP_URL") or "http://127.0.0.1:8420"
    print(address + identity.make_link(database, SystemClock().now(), given.tenant, given.role))
    return 0


def token(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Print a new API key; it is shown this once."""
    print(identity.create_key(_there(environ), SystemClock().now(), given.tenant, given.role))
    return 0
