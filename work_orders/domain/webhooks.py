"""Events out: what is a CloudEvent, how it is signed (Standard Webhooks), when it is tried again, where it may go."""

import base64
import hashlib
import hmac
import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import msgspec

FAMILIES = (
    "actuals", "autonomy", "brake", "breakdown", "case", "diagnosis", "finding", "hold", "incident", "job", "notice",
    "order", "permit", "plan", "request", "sla", "task", "visit", "work",
)  # fmt: skip
"""First words of the kinds of entries that go out. Conversations, notes, sign-ins and settings never do."""
PREFIX = "forewarn."
PATTERN = re.compile(r"\*|[a-z]+\.(\*|[a-z_]+)")
MAX_URL, MAX_TYPES, MAX_BODY = 500, 50, 200_000
SECRET_PREFIX, SECRET_BYTES = "whsec_", 24
OLD_SECRET_FOR = timedelta(hours=24)
"""After a rotation events carry the signature of the old secret, too, for so long."""
DELAYS = tuple(
    timedelta(seconds=s) for s in (5, 30, 120, 600, 1800, 3600, 7200, 14400, 21600, 21600, 21600, 21600)
)  # fmt: skip
"""Waits between tries: 32 hours together, so who is down for a day catches up."""
DISABLED_AFTER = timedelta(days=5)
KEPT_FOR, DEAD_KEPT_FOR = timedelta(days=7), timedelta(days=30)
"""For how long it is kept that an event was delivered, and an event that was given up, to be sent again."""
MAPPED = tuple(ipaddress.ip_network(n) for n in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32"))
"""IPv6 addresses that stand for IPv4 ones."""


def type_of(action: str) -> str | None:
    """`case_opened` -> `forewarn.case.opened`; None = it does not go out."""
    family, _, rest = action.partition("_")
    return f"{PREFIX}{family}.{rest}" if family in FAMILIES and rest else None


def wanted(type: str, patterns: Iterable[str]) -> bool:
    """Whether a type is asked for by `*`, `case.*` or `case.opened`."""
    plain = type.removeprefix(PREFIX)
    return any(p in ("*", plain, f"{plain.partition('.')[0]}.*") for p in patterns)


def event_id(tenant: str, seq: int) -> str:
    """Of an entry of the chain: the same however often it is sent."""
    return f"{tenant}-{seq}"


def cloud_event(tenant: str, seq: int, at: datetime, actor: str, type: str, diff: Mapping[str, Any]) -> bytes:
    """CloudEvents 1.0 in JSON (structured mode). `sequence` = number in the tenant's audit chain."""
    subject = str(diff.get("id") or diff.get("asset") or "")
    event = {
        "specversion": "1.0", "id": event_id(tenant, seq), "source": f"/forewarn/{tenant}", "type": type, "time": at,
        "datacontenttype": "application/json", "sequence": f"{seq:020d}", **({"subject": subject} if subject else {}),
        "data": {**diff, "actor": actor},
    }  # fmt: skip
    return msgspec.json.encode(event)


def aggregate_of(diff: Mapping[str, Any]) -> str:
    """What events of are sent in order: the machine, else what the entry is about."""
    return str(diff.get("asset") or diff.get("id") or "")[:80]


def signature(secrets: Sequence[str], id: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`: one `v1,...` a secret."""
    message = f"{id}.{timestamp}.".encode() + body
    return " ".join(
        "v1," + base64.b64encode(hmac.new(_key(s), message, hashlib.sha256).digest()).decode() for s in secrets
    )


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(SECRET_PREFIX))


def secret_of(raw: bytes) -> str:
    """`whsec_...` of random bytes."""
    return SECRET_PREFIX + base64.b64encode(raw).decode()


def delay(failures: int) -> timedelta:
    """The wait after so many failures in a row, from 1."""
    return DELAYS[min(failures, len(DELAYS)) - 1]


def given_up(attempts: int) -> bool:
    """Whether an event has had its tries."""
    return attempts > len(DELAYS)


def why_not_url(url: str) -> str:
    """What is wrong with an address, in words; empty = nothing that can be seen without looking it up."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "is no address"
    if parts.scheme not in ("https", "http") or not parts.hostname or len(url) > MAX_URL:
        return "must be https://HOST/..."
    if parts.username is not None or parts.password is not None or parts.fragment:
        return "must hold neither a user nor a fragment"
    if port == 0 or any(c.isspace() or ord(c) < 32 or ord(c) > 126 for c in url):
        return "must be plain ASCII without spaces"
    return ""


def why_not_types(types: Sequence[str]) -> str:
    """What is wrong with the types asked for; empty = nothing."""
    if not 1 <= len(types) <= MAX_TYPES:
        return f"1 to {MAX_TYPES} types"
    for pattern in types:
        if not PATTERN.fullmatch(pattern):
            return f"{pattern[:60]!r} must be *, FAMILY.* or FAMILY.WHAT"
        if pattern != "*" and pattern.partition(".")[0] not in FAMILIES:
            return f"{pattern[:60]!r}: the families are {', '.join(FAMILIES)}"
    return ""


WITHOUT_TLS = "without TLS events go to allowed networks only (FOREWARN_WEBHOOK_NETWORKS): use https"
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Reach:
    """Where events may go: the public internet, and networks that somebody has allowed (those also without TLS).
    `inside_only`: nothing may leave the allowed networks, as for a simulated tenant."""

    allowed: tuple[Network, ...] = ()
    inside_only: bool = False

    def why_not_url(self, url: str) -> str:
        """The same of an address, as far as it can be told without looking a name up; empty = it may be called."""
        parts = urlsplit(url)
        host, tls = parts.hostname or "", parts.scheme == "https"
        if host == "localhost" or host.endswith(".localhost"):
            host = "127.0.0.1"
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return "" if tls or self.allowed else WITHOUT_TLS
        return self.why_not(host, tls=tls)

    def why_not(self, address: str, *, tls: bool) -> str:
        """Why an address that a name resolved to is not called; empty = it may be."""
        try:
            ip = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return "is no address"
        if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        if any(ip in network for network in self.allowed if network.version == ip.version):
            return ""
        if self.inside_only:
            return f"{ip} is outside: nothing of a simulated company leaves"
        if (
            not ip.is_global
            or ip.is_multicast
            or ip.is_reserved
            or any(ip in n for n in MAPPED if n.version == ip.version)
        ):
            return f"{ip} is in a private network, which is not allowed here (FOREWARN_WEBHOOK_NETWORKS)"
        return "" if tls else WITHOUT_TLS
