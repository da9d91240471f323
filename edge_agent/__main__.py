"""`forewarn-agent run|check --config agent.toml` and `claim URL CODE`: the agent alone, without the server's code.

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
        epilog="To fetch credentials with a one-time code: forewarn-agent claim --help. Exit codes: 0 done, 1 failed, 2"
        " wrong use. Drivers and their files: docs/drivers.md",
    )
    check = "check: name every fault, or say what would be read; connects to nothing (default: run)"
    top.add_argument("action", nargs="?", choices=("run", "check"), default="run", help=check)
    top.add_argument("--config", type=Path, required=True, metavar="FILE", help="agent.toml")
    home = "folder of the outbox (default: FOREWARN_HOME, else ./.forewarn)"
    top.add_argument("--data-dir", metavar="DIR", help=home)
    return top


def claim_parser() -> argparse.ArgumentParser:
    """The words of `claim`."""
    top = argparse.ArgumentParser(
        prog="forewarn-agent claim",
        description="Exchange a one-time code for credentials of this machine's own: files that only their owner reads,"
        " and an agent.toml to begin with.",
        epilog="Exit codes: 0 claimed, 1 not claimed, 2 wrong use: nothing was sent.",
    )
    top.add_argument("url", metavar="URL", help="the platform's address, https://HOST; what the QR code says is right")
    top.add_argument("code", nargs="?", default="", metavar="CODE", help="the claim code; - reads it from the input")
    top.add_argument("--config", type=Path, default=Path("agent.toml"), metavar="FILE", help="default: agent.toml")
    top.add_argument("--ca", default="", metavar="FILE", help="who signed the platform's https certificate (PEM)")
    top.add_argument("--insecure", action="store_true", help="permit http to another machine; all can read the secret")
    return top


def claim(arguments: Sequence[str]) -> int:
    """Claim; exit code 1 when no credentials came, 2 for an address or a code that cannot be."""
    from edge_agent.adapters import claiming

    given = claim_parser().parse_args(arguments)
    code = sys.stdin.readline() if given.code == "-" else given.code
    try:
        at = claiming.where(given.url, code, insecure=given.insecure, ca=given.ca)
        if at.plain and given.insecure:
            print("Warning: http is not encrypted; everybody on the way can read the secret.", file=sys.stderr)
        print("\n".join(claiming.claim(at, given.config)))
    except claiming.BadClaim as fault:
        print(fault, file=sys.stderr)
        return WRONG_USE
    except claiming.ClaimFailed as failure:
        print(f"Not claimed: {failure}.", file=sys.stderr)
        return FAILED
    return DONE


def main(arguments: Sequence[str] | None = None) -> int:
    """Run or check; exit code 2 for settings that cannot be, 1 when the outbox cannot be used."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["claim"]:
        return claim(words[1:])
    given = parser().parse_args(words)
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
