"""Links that open one thing without signing in: what they are for stands in them, signed, with when they end."""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import UTC, datetime

LENGTH = 16
MOST = 400
FURTHEST = 1 << 34
"""Seconds since 1970 that a link may name: the year 2514."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a link says of itself; nothing of it counts before `genuine` says so."""

    tenant: str
    what: tuple[str, ...]
    until: datetime
    signature: str


def _signed(key: str, kind: str, tenant: str, what: tuple[str, ...], seconds: int, bound: str) -> str:
    said = json.dumps([kind, tenant, *what, seconds, bound]).encode()
    digest = hmac.new(key.encode(), b"link:" + said, hashlib.sha256).digest()[:LENGTH]
    return base64.b32encode(digest).decode().lower().rstrip("=")


def make(key: str, kind: str, tenant: str, *what: str, until: datetime, bound: str = "") -> str:
    """A link's token. `bound` must be the same when it is opened, and does not stand in it. No part holds a `~`."""
    seconds = int(until.timestamp())
    return "~".join((tenant, *what, f"{seconds:x}", _signed(key, kind, tenant, what, seconds, bound)))


def read(token: str) -> Link | None:
    """What a token says; None = it is none of ours."""
    tenant, *what, seconds, signature = token.split("~") if token.count("~") >= 3 else ("", "", "", "")
    try:
        at = int(seconds, 16)
    except ValueError:
        return None
    if not (tenant and len(token) <= MOST and 0 <= at <= FURTHEST) or "\0" in token:  # PostgreSQL takes no NUL
        return None
    return Link(tenant, tuple(what), datetime.fromtimestamp(at, UTC), signature)


def genuine(key: str, kind: str, link: Link, bound: str = "") -> bool:
    """Whether it is ours, and for this."""
    ours = _signed(key, kind, link.tenant, link.what, int(link.until.timestamp()), bound)
    return bool(key) and hmac.compare_digest(ours.encode(), link.signature.encode())
