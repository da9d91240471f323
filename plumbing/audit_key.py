"""The key that checkpoints of the audit chain and service reports are signed with (Ed25519).

Made at the first start in the home folder, readable by its owner alone. Whoever has the public key can check offline.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from pathlib import Path

from plumbing import command_key
from plumbing.command_key import PREFIX, BadKey, CommandKey

FILE = "audit-key"
SETTING = "FOREWARN_AUDIT_KEY"
KEY_BYTES, SIGNATURE_BYTES = 32, 64

AuditKey = CommandKey
"""Signs; `public` is what others check with."""

__all__ = [
    "FILE",
    "PREFIX",
    "SETTING",
    "AuditKey",
    "BadKey",
    "find_public",
    "fits",
    "load",
    "named_public",
    "raw_public",
]


def load(environ: Mapping[str, str], home: Path) -> AuditKey:
    """The key of FOREWARN_AUDIT_KEY, else of the home folder, made there if there is none. Raises BadKey."""
    return command_key.load(environ, home, file=FILE, setting=SETTING)


def find_public(environ: Mapping[str, str], home: Path) -> str:
    """The public key, where this computer has the key; else empty. Makes none. Raises BadKey."""
    if environ.get(SETTING) or environ.get(f"{SETTING}_FILE") or (home / FILE).exists():
        return load(environ, home).public
    return ""


_PLAIN = re.compile(r"[A-Za-z0-9+/]{43}=")


def named_public(given: str) -> str:
    """A public key as a person names it: itself, its base64 alone, or a file that holds it. Raises BadKey."""
    given = given.strip()
    if not given.startswith(PREFIX) and not _PLAIN.fullmatch(given):
        try:
            given = Path(given).read_text("ascii").strip()
        except (OSError, UnicodeDecodeError) as problem:
            raise BadKey(f"{given!r} is neither a public key ({PREFIX}...) nor a file that holds one") from problem
    if _PLAIN.fullmatch(given):
        given = PREFIX + given
    raw_public(given)
    return given


def raw_public(public: str) -> bytes:
    """The 32 bytes of `ed25519:` and base64. Raises BadKey."""
    if public.startswith(PREFIX):
        try:
            raw = base64.b64decode(public.removeprefix(PREFIX), validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        if len(raw) == KEY_BYTES and PREFIX + base64.b64encode(raw).decode() == public:
            return raw
    raise BadKey(f"a public key is {PREFIX} and 32 bytes as base64")


def fits(public: str, signature: str, message: bytes) -> bool:
    """Whether the base64 signature over the message is that of the public key; only one spelling counts."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        raw = base64.b64decode(signature, validate=True)
        if len(raw) != SIGNATURE_BYTES or base64.b64encode(raw).decode() != signature:
            return False
        Ed25519PublicKey.from_public_bytes(raw_public(public)).verify(raw, message)
    except (binascii.Error, ValueError, InvalidSignature):
        return False
    return True
