"""The command line's words: every command with its options, and the function that runs it."""

import argparse
import os
from pathlib import Path
from typing import Any, NoReturn

from forewarn.analysis_arguments import add_analysis, add_proof
from forewarn.argument_types import address, new_file, port, positive
from forewarn.device_arguments import add_devices, add_quarantine, add_remote
from forewarn.environment import WrongUse
from forewarn.service_arguments import add_service

HTTP_PORT = 8420
MQTT_PORT = 1883
TO_READ = ("file", "config", "csr", "token_file")
"""Arguments that name a file to read."""
SERVICES = ("agent", "ingest", "anomaly", "work-orders", "api")


class Parser(argparse.ArgumentParser):
    """Reports wrong use as an exception that says what to try."""

    def error(self, message: str) -> NoReturn:
        raise WrongUse(f"{message}\n{self.format_usage().strip()}\nTry: {self.prog} --help")


def _common() -> Parser:
    common = Parser(add_help=False)
    common.add_argument("--data-dir", metavar="DIR", help="home folder (default: FOREWARN_HOME, else ./.forewarn)")
    return common


def parser() -> argparse.ArgumentParser:
    """The whole command line; a golden file holds its help."""
    top = Parser(
        prog="forewarn",
        description="Predictive maintenance that closes the loop from a vibration sample to a finished job.",
        epilog="Exit codes: 0 done, 1 failed, 2 wrong use. Begin with: forewarn demo",
    )
    top.add_argument("--version", action="store_true", help="print the version and end")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    common = _common()

    def command(name: str, text: str, run: str) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = commands.add_parser(
            name, help=text, description=text[0].upper() + text[1:] + ".", parents=[common]
        )
        made.set_defaults(run=run)
        return made

    def group(name: str, text: str) -> Any:
        made = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        return made.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=Parser)

    def action(of: Any, name: str, text: str, run: str) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = of.add_parser(name, help=text, description=text + ".", parents=[common])
        made.set_defaults(run=run)
        return made

    _product(command)
    _services(command)
    add_devices(command, group, action)
    add_quarantine(group, action)
    add_remote(group, action)
    add_analysis(command, group, action)
    add_service(command, group, action)
    add_proof(command)
    return top


def _listening(to: argparse.ArgumentParser) -> None:
    to.add_argument("--http-port", type=port, default=HTTP_PORT, help="pages and API (0 = any; default %(default)s)")
    to.add_argument("--mqtt-port", type=port, default=MQTT_PORT, help="devices (0 = any; default %(default)s)")
    to.add_argument(
        "--mqtts-port", type=port, metavar="PORT",
        help="devices by TLS, usually 8883 (0 = any); --mqtt-port is then for this computer only (default: no TLS)",
    )  # fmt: skip
    to.add_argument(
        "--listen", type=address, default="127.0.0.1", metavar="ADDRESS",
        help="address to listen on (default %(default)s: this computer only; for others use --mqtts-port, too)",
    )  # fmt: skip
    to.add_argument("--fresh", action="store_true", help="set the old home folder aside and begin anew")
    to.add_argument("--seed", type=int, default=0, help="seed of all that is simulated (default %(default)s)")
    to.add_argument("--no-host", action="store_true", help="do not watch this computer")


def _product(command: Any) -> None:
    _listening(command("up", "start everything in one process", "forewarn.commands.up:up"))
    demo = command("demo", "the same, with a simulated pump service company", "forewarn.commands.up:demo")
    _listening(demo)
    demo.add_argument("--for", dest="seconds", type=positive, metavar="SECONDS", help="end by itself after so long")
    demo.add_argument("--autopilot", action="store_true", help="play customer, technician and dispatcher, too")
    demo.add_argument("--json", type=new_file, metavar="FILE", help="write what happened")
    demo.add_argument("--no-browser", action="store_true", help=argparse.SUPPRESS)


def _services(command: Any) -> None:
    run = command("run", "start one service, on real servers", "forewarn.commands.run:run")
    run.add_argument("service", choices=SERVICES)
    run.add_argument("--config", type=Path, metavar="FILE", help="the agent's drivers (agent.toml)")
    run.add_argument(
        "--listen", type=address, default="127.0.0.1", metavar="ADDRESS", help="api: address (default %(default)s)"
    )
    run.add_argument("--http-port", type=port, default=HTTP_PORT, help="api: port (default %(default)s)")
    command("migrate", "bring the database's tables up to date", "forewarn.commands.run:migrate")
    status = command("status", "what runs, and how it is", "forewarn.commands.status:status")
    status.add_argument("--json", action="store_true", help="machine-readable")
    command("doctor", "check folders, settings and servers, and say what to do", "forewarn.commands.status:doctor")


def check_files(given: argparse.Namespace) -> None:
    """Files to read are there. One that is not is wrong use; one whose content is no good fails where it is read.

    Raises WrongUse.
    """
    for name in TO_READ:
        path: Path | None = getattr(given, name, None)
        if path is not None and (path.is_dir() or not os.access(path, os.R_OK)):
            raise WrongUse(f"{name.replace('_', '-')}: {str(path)!r} is no file that can be read")
