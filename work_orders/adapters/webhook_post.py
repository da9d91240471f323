"""One HTTP POST to somewhere outside, with nothing left to whoever answers: the address that was looked at is the one
that is called, redirects are not followed, and all of it ends within a time.

Written on sockets, as an ordinary client resolves the name a second time, follows, and waits for every byte anew.
"""

import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlsplit

from work_orders.domain.webhooks import Reach

WITHIN_SECONDS = 15.0
MOST_ANSWER = 16_384
Resolve = Callable[[str, int], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """The status of an answer; 0 = there was none, `error` says why."""

    status: int
    error: str = ""


def resolve(host: str, port: int) -> Sequence[str]:
    """Addresses of a name."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def post(
    url: str, headers: Mapping[str, str], body: bytes, reach: Reach, monotonic: Callable[[], float], *,
    find: Resolve = resolve, within: float = WITHIN_SECONDS,
) -> Answer:  # fmt: skip
    """Send; never raises for what the other side does."""
    parts = urlsplit(url)
    tls, host = parts.scheme == "https", parts.hostname or ""
    port = parts.port or (443 if tls else 80)
    try:
        addresses = find(host, port)
    except (OSError, UnicodeError) as unknown:
        return Answer(0, f"{host} is not known: {unknown}")
    refused = [why for a in addresses if (why := reach.why_not(a, tls=tls))]
    if refused or not addresses:
        return Answer(0, refused[0] if refused else f"{host} has no address")
    until = monotonic() + within
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    named = f"[{host}]" if ":" in host else host
    lines = [f"POST {path} HTTP/1.1", f"Host: {named}" + ("" if parts.port is None else f":{port}")]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {len(body)}", "Connection: close", "", ""]
    try:
        with socket.create_connection((addresses[0], port), timeout=within) as plain:
            plain.settimeout(_left(until, monotonic))
            with _context().wrap_socket(plain, server_hostname=host) if tls else plain as wire:
                wire.settimeout(_left(until, monotonic))
                wire.sendall("\r\n".join(lines).encode("latin-1") + body)
                return _answer(wire, until, monotonic)
    except TimeoutError:
        return Answer(0, f"no answer within {within:g} s")
    except ssl.SSLError as wrong:
        return Answer(0, f"TLS: {wrong.reason or wrong}")
    except (OSError, UnicodeError) as broken:
        return Answer(0, f"{broken.strerror or broken}" if isinstance(broken, OSError) else str(broken))


@cache
def _context() -> ssl.SSLContext:
    return ssl.create_default_context()


def _left(until: float, monotonic: Callable[[], float]) -> float:
    left = until - monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _answer(wire: socket.socket, until: float, monotonic: Callable[[], float]) -> Answer:
    """The status line is enough: what follows is not read."""
    got = b""
    while b"\r\n" not in got:
        if len(got) > MOST_ANSWER:
            return Answer(0, "the answer is no HTTP")
        wire.settimeout(_left(until, monotonic))
        part = wire.recv(4096)
        if not part:
            return Answer(0, "the connection was closed without an answer")
        got += part
    version, _, rest = got.partition(b"\r\n")[0].partition(b" ")
    status = rest[:3]
    if not version.startswith(b"HTTP/1.") or not status.isdigit():
        return Answer(0, "the answer is no HTTP")
    return Answer(int(status))
