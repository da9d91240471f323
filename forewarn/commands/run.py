"""`forewarn run SERVICE` and `forewarn migrate`."""

import argparse
import logging
import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from forewarn.environment import Failed, WrongUse, home_of
from forewarn.health import HealthServer
from plumbing.logs import set_up
from plumbing.settings import BadSettings

if TYPE_CHECKING:  # an agent runs on small machines: it loads neither SQL nor stores
    from plumbing.runtime import Service, Shared

HEALTH_PORT = "FOREWARN_HEALTH_PORT"
HEARTBEAT_S = 1.0
log = logging.getLogger(__name__)


def run(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """One service until SIGTERM or Ctrl-C."""
    set_up(environ)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    port = _health_port(environ)
    if given.service == "agent":
        return _agent(given, environ, port, stop)
    return _service(given, environ, port, stop)


def _service(given: argparse.Namespace, environ: Mapping[str, str], port: int, stop: threading.Event) -> int:
    from sqlalchemy.exc import SQLAlchemyError

    from forewarn.product import Product, share
    from plumbing import metrics
    from plumbing import migrate as migrations
    from plumbing.system_clock import SystemClock

    shared = share(environ, home_of(environ), SystemClock())
    try:
        migrations.check(shared.database)
    except migrations.NotMigrated as old:
        raise Failed(str(old)) from old
    except SQLAlchemyError as failure:
        raise Failed(f"the database does not answer: {str(failure).splitlines()[0]}") from failure
    product = Product(shared, _BUILD[given.service](given, environ, shared))
    health = HealthServer(port, lambda: "; ".join(product.unwell().values()), metrics.text) if port else None
    try:
        product.start()
        if health:
            health.start()
    except OSError as failure:
        raise Failed(f"run {given.service} cannot start: {failure.strerror or failure}") from failure
    except SQLAlchemyError as failure:
        raise Failed(f"run {given.service} cannot start: {str(failure).splitlines()[0]}") from failure
    print(f"forewarn {given.service} runs", flush=True)
    stop.wait()
    if health:
        health.stop()
    product.stop()
    return 0


def _agent(given: argparse.Namespace, environ: Mapping[str, str], port: int, stop: threading.Event) -> int:
    from edge_agent import settings, wiring
    from edge_agent.service import EdgeAgentError

    if given.config is None:
        raise WrongUse("run agent: --config FILE is missing: the agent's drivers (see the README)")
    try:
        service = wiring.build(settings.load(given.config, environ))
    except settings.BadSettings as bad:
        raise WrongUse(str(bad)) from bad
    health = HealthServer(port, service.healthy, lambda: b"") if port else None
    try:
        service.start()
    except EdgeAgentError as failure:
        raise Failed(str(failure)) from failure
    if health:
        health.start()
    print("forewarn agent runs", flush=True)
    stop.wait()
    if health:
        health.stop()
    service.stop()
    return 0


def _ingest(given: argparse.Namespace, environ: Mapping[str, str], shared: "Shared") -> "list[Service]":
    from forewarn.accounts import AccountFiles, ingest_url, link_tls
    from forewarn.foreign import FOREIGN_PORT, Beside
    from forewarn.product import Heart
    from forewarn.remote import command_key_of
    from ingest import settings, wiring
    from ingest.adapters.command_post import CommandPost
    from ingest.adapters.housekeeper import housekeeper
    from ingest.service.housekeeping import Keeping

    try:
        told = settings.Settings.of(environ)
    except BadSettings as bad:
        raise WrongUse("\n".join(bad.faults)) from bad
    told = replace(told, mqtt_url=ingest_url(environ, shared), tls=link_tls(environ, shared.home))
    key = command_key_of(environ, shared.home)
    beside = Beside(shared, environ) if environ.get(FOREIGN_PORT) else None
    accounts = AccountFiles(shared, environ)
    service = wiring.build(told, shared, beside.fleets if beside else None, accounts.address)
    more: list[Service] = [beside, beside.watch] if beside else []
    post = CommandPost(shared, key, service.publish)
    tidy = housekeeper(shared, Keeping(told.quarantine_days, told.ledger_days))
    return [Heart(shared), accounts, *more, service, post, tidy]


def _anomaly(given: argparse.Namespace, environ: Mapping[str, str], shared: "Shared") -> "list[Service]":
    from anomaly import settings, wiring

    try:
        return [wiring.build(shared, settings.Settings.of(environ))]
    except BadSettings as bad:
        raise WrongUse("\n".join(bad.faults)) from bad


def _work_orders(given: argparse.Namespace, environ: Mapping[str, str], shared: "Shared") -> "list[Service]":
    from api.colleagues import addresses_of
    from work_orders import settings, wiring

    try:
        told = settings.Settings.of(environ)
        return [wiring.signing(told, shared), wiring.build(told, shared, addresses_of)]
    except BadSettings as bad:
        raise WrongUse("\n".join(bad.faults)) from bad


def _api(given: argparse.Namespace, environ: Mapping[str, str], shared: "Shared") -> "list[Service]":
    from api import settings, wiring
    from plumbing.command_key import BadKey, find_public

    def command_key() -> str:
        try:
            return find_public(environ, shared.home)
        except (BadKey, OSError):
            return ""  # ingest says what is wrong with it

    try:
        asked = settings.Settings.of(environ)
    except BadSettings as bad:
        raise WrongUse("\n".join(bad.faults)) from bad
    # FOREWARN_HTTP_URL is where people come from; behind a proxy or a container's port it is not where to listen
    told = replace(asked, host=given.listen, port=given.http_port, command_key=command_key)
    return [wiring.build(told, shared)]


_BUILD: "dict[str, Callable[[argparse.Namespace, Mapping[str, str], Shared], list[Service]]]" = {
    "ingest": _ingest,
    "anomaly": _anomaly,
    "work-orders": _work_orders,
    "api": _api,
}


def _health_port(environ: Mapping[str, str]) -> int:
    text = environ.get(HEALTH_PORT, "")
    if text and not (text.isdigit() and 0 < int(text) < 65536):
        raise WrongUse(f"{HEALTH_PORT}: {text!r} must be a port, 1 to 65535")
    return int(text or 0)


def migrate(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Bring the tables up to date."""
    from sqlalchemy.exc import SQLAlchemyError

    from forewarn.product import open_database
    from plumbing import migrate as migrations

    database = open_database(environ, home_of(environ))
    try:
        migrations.upgrade(database)
    except SQLAlchemyError as failure:
        raise Failed(f"the database does not take it: {str(failure).splitlines()[0]}") from failure
    print(f"The tables are up to date ({database.dialect}).")
    return 0
