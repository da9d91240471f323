"""`forewarn-agent run|check --config agent.toml`: the agent alone. It loads nothing of the server.

`forewarn run agent` runs the same; `python -m edge_agent` is this command.
"""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from edge_agent import settings, wiring
from edge_agent.adapters import drivers
from edge_agent.service import EdgeAgentError
from plumbing.logs import set_up

DONE, FAILED, WRONG_USE = 0, 1, 2


def parser() -> argparse.ArgumentParser:
    """The words of the command."""
    top = argparse.ArgumentParser(
        prog="forewarn-agent",
        description="The agent on the machine: reads, keeps every sample until it is stored, and sends.",
        epilog="Exit codes: 0 done, 1 failed, 2 wrong use. Drivers and their files: docs/drivers.md",
    )
    check = "check: name every fault, or say what would be read; connects to nothing (default: run)"
    top.add_argument("action", nargs="?", choices=("run", "check"), default="run", help=check)
    top.add_argument("--config", type=Path, required=True, metavar="FILE", help="agent.toml")
    home = "folder of the outbox (default: FOREWARN_HOME, else ./.forewarn)"
    top.add_argument("--data-dir", metavar="DIR", help=home)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run or check; exit code 2 for settings that cannot be, 1 when the outbox cannot be used."""
    given = parser().parse_args(arguments)
    environ = dict(os.environ)
    if given.data_dir:
        environ["FOREWARN_HOME"] = given.data_dir
    try:
        set_up(environ)
        chosen = settings.load(given.config, environ)
        if given.action == "check":
            print("\n".join(described(chosen)))
            return DONE
    except (settings.BadSettings, ValueError) as faults:
        print(faults, file=sys.stderr)
        return WRONG_USE
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    try:
        wiring.run(chosen, over.wait)
    except EdgeAgentError as failure:
        print(failure, file=sys.stderr)
        return FAILED
    return DONE


def described(chosen: settings.Settings) -> list[str]:
    """What an agent with these settings would read, and where it goes; no secrets."""
    lines = [f"device {chosen.tenant}/{chosen.device}, outbox {chosen.outbox}"]
    for name, driver in chosen.drivers.items():
        lines += [f"{name}: {line}" for line in drivers.load(driver.kind).plan(driver.options).lines]
        lines += [f"{name}: {signal} in {unit}" for signal, unit in sorted(driver.units.items())]
    return lines


if __name__ == "__main__":
    sys.exit(main())
