"""Writes the reference pages that tests compare with the code: `python -m forewarn.reference` (`make docs`)."""

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

from forewarn.arguments import parser

WIDTH = "100"


def commands(of: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Every command that can be called, in the order of the help."""
    subs = [a for a in of._actions if isinstance(a, argparse._SubParsersAction)]
    if not subs:
        yield of
    for sub in subs:
        for child in sub.choices.values():
            yield from commands(child)


def cli() -> str:
    """docs/cli.md."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = WIDTH
    try:
        top = parser()
        parts = ["# The command line\n\nMade by `make docs` from the code.\n", _block(top.format_help())]
        parts += [f"\n## {made.prog}\n\n{_block(made.format_help())}" for made in commands(top)]
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before
    return "\n".join(parts) + "\n"


def _block(text: str) -> str:
    return f"```text\n{text.rstrip()}\n```"


if __name__ == "__main__":
    (Path(__file__).parents[1] / "docs" / "cli.md").write_text(cli())
