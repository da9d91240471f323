"""The platform's key for commands (Ed25519): made at the first need, kept in a file that only its owner reads."""

import base64
import binascii
import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

FILE = "command-key"
SETTING = "FOREWARN_COMMAND_KEY"
PUBLIC_SETTING = "FOREWARN_PLATFORM_KEY"
"""The public key, for those who have not the private one: agents, and an api on a computer of its own."""
PREFIX = "ed25519:"


class BadKey(ValueError):
    """The key cannot be read; says where it was looked for, never what was found."""


class CommandKey:
    """Signs commands. `private` has 32 bytes; the library is loaded at the first need, it costs 7 MB."""

    def __init__(self, private: bytes) -> None:
        self._private = private

    @cached_property
    def _key(self) -> "Ed25519PrivateKey":
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(self._private)

    @property
    def public(self) -> str:
        """What devices are given: `ed25519:` and base64."""
        return PREFIX + base64.b64encode(self._key.public_key().public_bytes_raw()).decode()

    def __call__(self, message: bytes) -> bytes:
        """The signature."""
        return self._key.sign(message)


def load(environ: Mapping[str, str], home: Path, *, file: str = FILE, setting: str = SETTING) -> CommandKey:
    """The key of the settings (FOREWARN_COMMAND_KEY, or a file named by FOREWARN_COMMAND_KEY_FILE), else of the home
    folder, where it is made if there is none. Raises BadKey.
    """
    given, where = environ.get(setting, ""), setting
    named = environ.get(f"{setting}_FILE", "")
    if not given:
        path, where = (Path(named), f"{setting}_FILE") if named else (home / file, str(home / file))
        if not named:
            _make(path)
        try:
            given = path.read_text("ascii")
        except (OSError, UnicodeDecodeError) as problem:
            raise BadKey(f"{where}: the key cannot be read: {type(problem).__name__}") from problem
    try:
        private = base64.b64decode(given.strip(), validate=True)
    except (binascii.Error, ValueError):
        private = b""
    if len(private) != 32:
        raise BadKey(f"{where}: must hold 32 bytes as base64")
    return CommandKey(private)


def find_public(environ: Mapping[str, str], home: Path) -> str:
    """What devices are given, where this computer knows it, else empty: the public key that is set, else the key's of
    `load`, which is not made here. Raises BadKey.
    """
    given = environ.get(PUBLIC_SETTING, "")
    if given:
        return given
    if environ.get(SETTING) or environ.get(f"{SETTING}_FILE") or (home / FILE).exists():
        return load(environ, home).public
    return ""


def _make(path: Path) -> None:
    """Write a fresh key where there is none; of two processes at once one wins, and both read the same."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(base64.b64encode(os.urandom(32)).decode() + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(made, path)
    except FileExistsError:
        pass
    finally:
        made.unlink()
