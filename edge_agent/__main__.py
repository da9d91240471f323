"""`python -m edge_agent --config agent.toml`: one agent until SIGTERM or Ctrl-C. `forewarn run agent` does the same."""

import argparse
import logging
import os
import signal
import sys
import threading
from pathlib import Path

from edge_agent import settings, wiring
from edge_agent.service import EdgeAgentError


def main() -> int:
    """Run; exit code 2 for settings that cannot be, 1 when the outbox cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m edge_agent", description="Run one agent.")
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="agent.toml")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        chosen = settings.load(arguments.config, os.environ)
    except settings.BadSettings as faults:
        print(faults, file=sys.stderr)
        return 2
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    try:
        wiring.run(chosen, over.wait)
    except EdgeAgentError as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
