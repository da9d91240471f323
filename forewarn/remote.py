"""The key that commands to devices are signed with."""

from collections.abc import Mapping
from pathlib import Path

from forewarn.environment import Failed
from plumbing import command_key


def command_key_of(environ: Mapping[str, str], home: Path) -> command_key.CommandKey:
    """The key of the settings, else of the home folder. Raises Failed."""
    try:
        return command_key.load(environ, home)
    except (command_key.BadKey, OSError) as failure:
        raise Failed(f"the key for commands: {failure}") from failure
