"""`forewarn up` and `forewarn demo`."""

import argparse
import ipaddress
import logging
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from forewarn import home as homes
from forewarn.embedded import Embedded
from forewarn.environment import Failed, home_of
from forewarn.product import LOCAL, Options
from forewarn.quick_start import starting
from plumbing.logs import set_up
from plumbing.system_clock import SystemClock

if TYPE_CHECKING:
    from forewarn.demo.cards import Book

ROLES = ("customer", "technician", "dispatcher", "engineer", "admin")


def up(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Everything in one process, until Ctrl-C."""
    return _run(given, environ, demo=False)


def demo(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """The same with the simulated pump company, until Ctrl-C or for so many seconds."""
    return _run(given, environ, demo=True)


def _run(given: argparse.Namespace, environ: Mapping[str, str], *, demo: bool) -> int:
    system = SystemClock()
    began = system.monotonic()
    set_up(environ)
    home = home_of(environ)
    if given.fresh:
        _set_aside(home)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    if words := warning(given.listen, given.mqtts_port is not None):
        _say(words)
    options = Options(given.listen, given.http_port, given.mqtt_port, not given.no_host, given.mqtts_port, _say)
    with homes.held(home):
        book = _book() if demo else None
        try:
            with starting():
                product = Embedded(home, environ, options, system, book)
        except (SQLAlchemyError, OSError) as failure:
            said = str(failure).splitlines()[0]
            raise Failed(
                f"cannot start on {home}: {said}. `forewarn doctor` checks disk, folder and servers"
            ) from failure
        show = None
        try:
            if book:
                from forewarn.demo.show import Show

                show = Show(
                    product, book, given.seed, autopilot=given.autopilot, elapsed=lambda: system.monotonic() - began
                )
                show.prepare()
            with starting():
                product.start()
            tenant = show.tenant if show else LOCAL
            links = {role: product.link(tenant, role, show.subject(role) if show else "") for role in ROLES}
            homes.write(home, product.running(links, tenant))
            _greet(product, links, system.monotonic() - began)
            if show:
                show.begin()
            left = None if not demo or given.seconds is None else given.seconds - (system.monotonic() - began)
            stop.wait(None if left is None else max(0.0, left))
            _say("Stopping: what is on its way is stored first.")
        finally:
            try:
                if show:
                    show.end(given.json)
            except OSError as failure:
                raise Failed(f"--json {given.json}: cannot be written: {failure.strerror}") from failure
            finally:
                product.stop()
    _say("Stopped. Nothing is lost; start again to go on.")
    return 0


def warning(listen: str, tls: bool = False) -> str:
    """What to know of an address before listening on it; empty for this computer's own."""
    try:
        ours = ipaddress.ip_address(listen).is_loopback
    except ValueError:
        ours = listen == "localhost"
    if ours:
        return ""
    if tls:
        return f"WARNING: --listen {listen} opens the pages to your network without encryption; devices use TLS."
    return (
        f"WARNING: --listen {listen} opens the broker and the pages to your network without encryption."
        " --mqtts-port 8883 has devices use TLS."
    )


def _book() -> "Book":
    from forewarn.demo.cards import Book

    return Book()


def _set_aside(home: Path) -> None:
    """Keep an old home under another name: nothing is deleted."""
    if not home.exists() or not any(home.iterdir()):
        return
    if homes.find(home):
        raise Failed(f"Forewarn runs on {home}: stop it before --fresh")
    n = 1
    while (old := home.with_name(f"{home.name}.old-{n}")).exists():
        n += 1
    home.rename(old)
    _say(f"The old home folder is kept as {old}")


def _greet(product: Embedded, links: dict[str, str], seconds: float) -> None:
    _say(f"\nForewarn is ready after {seconds:.1f} s.")
    _say(f"  pages    {product.http}")
    _say(f"  broker   {product.mqtt}")
    if product.mqtts:
        _say(f"           {product.mqtts} by TLS; devices need {product.authority}")
    if sys.stdout.isatty():
        print("  sign in with one of these links (each works once, within the hour):")
        for role, link in links.items():
            print(f"    {role:11} {link}")
    else:  # what is no terminal may be a journal that others read
        _say("  sign in with a link: `forewarn link admin` makes one")
    _say("  stop with Ctrl-C\n")


def _say(text: str) -> None:
    print(text, flush=True)
    logging.getLogger("forewarn").debug(text)


if sys.platform == "win32":
    raise Failed("Forewarn runs on Linux and macOS")
