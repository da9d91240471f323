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


def handed_out(environ: Mapping[str, str], home: Path) -> str:
    """The public key that devices are given; empty where this computer does not know it. Raises Failed.

    On real servers the home folder may be another than ingest's, so no key is made there.
    """
    if not environ.get("FOREWARN_DATABASE_URL") and not environ.get(command_key.PUBLIC_SETTING):
        return command_key_of(environ, home).public
    try:
        return command_key.find_public(environ, home)
    except (command_key.BadKey, OSError) as failure:
        raise Failed(f"the key for commands: {failure}") from failure
