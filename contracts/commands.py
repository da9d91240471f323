"""Commands to a device and what it answers, version 1 (JSON).

A command travels twice. The `offer` has no nonce: the device judges it and answers `ready` with a nonce of its own. The
`grant` is the same command with that nonce and `valid_s`: the seconds, counted by the device's own monotonic clock from
the moment at which it made the nonce, within which the command may begin. The platform measures the rest of the
command's lifetime after it has heard the nonce, so the device's count begins earlier and ends before the command
expires: no wall clock has a say in it.
"""

import base64
import binascii
import re
from enum import StrEnum
from typing import Any, Literal, Protocol, get_args

import msgspec

VERSION = 1
SIGNED_AS = b"forewarn command 1\n"
"""What is signed begins with this, so that no other signature of the key passes for a command's."""
ID = re.compile(r"[A-Za-z0-9_-]{8,80}")
MAX_BODY_BYTES = 64_000
MAX_DATA_BYTES = 100_000
GRANT_S = 30.0
"""Longest `valid_s`: after this a device asks again."""
LONGEST_S = {"read": 7 * 86_400.0, "safe": 7 * 86_400.0, "guarded": 900.0}
"""Longest lifetime of a command by risk."""
ENABLED_S = 900.0
"""How long the local enable at a machine holds."""


class Risk(StrEnum):
    """What a command can do to a machine."""

    READ = "read"
    SAFE = "safe"
    GUARDED = "guarded"

    @property
    def order(self) -> int:
        """0 for the least."""
        return list(Risk).index(self)


Refusal = Literal[
    "no_key", "malformed", "signature", "schema_version", "other_device", "unknown_command", "wrong_risk", "bad_args",
    "out_of_range", "expired", "guarded_off", "not_approved", "on_hold", "not_enabled", "busy", "not_recorded",
]  # fmt: skip
"""Why a device refuses."""
REFUSALS: dict[Refusal, str] = {
    "no_key": "the device does not know the platform's key",
    "malformed": "the message cannot be read",
    "signature": "the signature is not the platform's",
    "schema_version": "the message is of another version",
    "other_device": "the command is for another device",
    "unknown_command": "the device has no such command",
    "wrong_risk": "the device holds the command for riskier than the platform says",
    "bad_args": "an argument is missing, unknown, or of the wrong kind",
    "out_of_range": "an argument is out of its range",
    "expired": "it came too late, or its nonce is not one that the device gave for it",
    "guarded_off": "guarded commands are switched off at this device",
    "not_approved": "no second person has approved it",
    "on_hold": "somebody works on the machine, a permit is open, or it is locked out",
    "not_enabled": "nobody has enabled it at the machine within the last 15 minutes",
    "busy": "too many commands wait at the device",
    "not_recorded": "the device cannot write down that it begins",
}
assert REFUSALS.keys() == set(get_args(Refusal))
APPROVERS = ("engineer", "admin")
"""Roles whose approval counts."""


class Approval(msgspec.Struct, frozen=True):
    """Who agreed to a guarded command."""

    by: str
    role: str


class Command(msgspec.Struct, frozen=True, omit_defaults=True):
    """One command; `issued_at` and `expires_at` (platform's clock) are for people, no device goes by them."""

    v: int
    id: str
    to: str
    """`tenant/device`."""
    name: str
    risk: Risk
    issued_by: str
    issued_at: str
    expires_at: str
    args: dict[str, Any] = {}
    approvals: list[Approval] = []
    holds: list[str] = []
    """What stands against guarded commands on the machine now: `visit`, `permit`, `lockout`."""
    nonce: str = ""
    valid_s: float = 0.0


class Envelope(msgspec.Struct, frozen=True):
    """What travels down: the command as text, and the Ed25519 signature (base64) of SIGNED_AS and that text."""

    v: int
    command: str
    signature: str


State = Literal["ready", "refused", "started", "progress", "done", "failed"]
ENDS: tuple[State, ...] = ("refused", "done", "failed")


class Result(msgspec.Struct, frozen=True, omit_defaults=True):
    """What travels up. `data` comes with `done`; `nonce` with `ready`; `reason` with `refused`."""

    v: int
    id: str
    state: State
    nonce: str = ""
    reason: str = ""
    text: str = ""
    data: dict[str, Any] = {}


encode = msgspec.json.encode
_decode_command = msgspec.json.Decoder(Command).decode
_decode_envelope = msgspec.json.Decoder(Envelope).decode
_decode_result = msgspec.json.Decoder(Result).decode


class NotUnderstood(ValueError):
    """The body is no message of this kind."""


def sealed(command: Command, sign: "Sign") -> bytes:
    """The message that goes down."""
    text = encode(command)
    signature = base64.b64encode(sign(SIGNED_AS + text)).decode()
    return encode(Envelope(VERSION, text.decode(), signature))


def opened(body: bytes) -> tuple[bytes, bytes, Command]:
    """What was signed, its signature, and the command, whose signature is not checked yet. Raises NotUnderstood."""
    if len(body) > MAX_BODY_BYTES:
        raise NotUnderstood("larger than a command may be")
    try:
        envelope = _decode_envelope(body)
        signature = base64.b64decode(envelope.signature, validate=True)
        command = _decode_command(envelope.command)
        text = envelope.command.encode()
    except (msgspec.MsgspecError, binascii.Error, ValueError, RecursionError) as problem:
        raise NotUnderstood(str(problem)) from problem
    if not ID.fullmatch(command.id):
        raise NotUnderstood("id: 8 to 80 letters, digits, '_' or '-'")
    return SIGNED_AS + text, signature, command


def read_result(body: bytes) -> Result:
    """A device's answer. Raises NotUnderstood."""
    if len(body) > MAX_DATA_BYTES + MAX_BODY_BYTES:
        raise NotUnderstood("larger than a result may be")
    try:
        found = _decode_result(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as problem:
        raise NotUnderstood(str(problem)) from problem
    if found.v != VERSION or not ID.fullmatch(found.id):
        raise NotUnderstood("v or id is wrong")
    return found


class Sign(Protocol):
    """The platform's key, see plumbing.command_key."""

    def __call__(self, message: bytes) -> bytes:
        """The signature (64 bytes)."""
        ...
