"""Claim: exchange a one-time code for credentials of this machine's own, and keep them in files for their owner alone.

The code and what comes back are secrets: no word here repeats them. A private key never leaves the machine.
"""

import http.client
import ipaddress
import json
import os
import re
import ssl
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.parse import quote, urlsplit

import msgspec

from edge_agent.service import EdgeAgentError
from plumbing.mqtt import BrokerAddress
from plumbing.pki import fresh_request, write_secret

CLAIMS = "/api/v1/claims"
TIMEOUT_S = 30.0
MOST_BYTES = 200_000
ROOM_BYTES = 65_536
URL_FILE, CA, CERTIFICATE, KEY = "agent.mqtt", "ca.crt", "device.crt", "device.key"
REFUSED = {
    "unknown": "the platform does not know this claim code: look at every character, or ask for a new one",
    "used": "this claim code was used already: ask for a new one, and ask who used it",
    "expired": "this claim code has expired: ask for a new one",
    "too_many": "too many wrong claim codes came from here: wait a minute, then try again",
    "shut_out": "the device of this claim code is suspended or revoked: ask whoever looks after the platform",
}
_COMMAND_KEY = re.compile(r"ed25519:[A-Za-z0-9+/]{43}=")
_BY_STATUS = {403: "shut_out", 404: "unknown", 409: "used", 410: "expired", 429: "too_many"}


class ClaimFailed(EdgeAgentError):
    """No credentials came; the text says why and what to do."""


class BadClaim(EdgeAgentError):
    """What was given cannot be claimed with: nothing was sent."""


class Credentials(msgspec.Struct, frozen=True):
    """What the platform answers."""

    tenant: str
    device: str
    username: str
    password: str
    mqtt: str = ""
    mqtts: str = ""
    ca: str = ""
    certificate: str = ""
    command_key: str = ""
    """The platform's public key: with it the agent takes commands."""


@dataclass(frozen=True, slots=True)
class Where:
    """The platform: where to claim, by https unless it is this machine, and who signed its certificate."""

    url: str
    code: str = field(repr=False)
    host: str
    plain: bool
    ca: str = ""


def where(url: str, code: str, *, insecure: bool = False, ca: str = "") -> Where:
    """Check an address, as it stands on the claim code's card: with or without the path, the code after `#`.

    Raises BadClaim: it is no address, or not https and neither this machine nor `insecure`.
    """
    rule = "the platform's address is https://HOST, as it stands beside the claim code"
    try:
        parts = urlsplit(url)
        host, port, user = parts.hostname, parts.port, parts.username
    except ValueError as problem:
        raise BadClaim(rule) from problem
    if parts.scheme not in ("https", "http") or not host or user is not None or parts.query:
        raise BadClaim(rule)
    plain = parts.scheme == "http"
    if plain and not insecure and not _loopback(host):
        raise BadClaim(
            f"{host}: without https everybody on the way could read the secret that comes back. Use https, or say"
            " --insecure where the way is known to be private"
        )
    if ca and plain:
        raise BadClaim("--ca is for an address that begins with https")
    given = (code or parts.fragment).strip()
    if not given:
        raise BadClaim("the claim code is missing")
    shown = f"[{host}]" if ":" in host else host
    path = parts.path.rstrip("/").removesuffix(CLAIMS)
    at = f"{parts.scheme}://{shown}{f':{port}' if port else ''}{path}{CLAIMS}"
    return Where(at, given, host, plain, ca)


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def claim(at: Where, config: Path) -> list[str]:
    """Claim, and write the files beside `config`; returns what was done, in words.

    An `agent.toml` that is there is left as it is. Raises ClaimFailed.
    """
    folder = config.parent
    _room(folder)
    said: list[str] = []
    try:
        request, key = fresh_request()
    except ModuleNotFoundError:
        request = key = ""
        said.append(
            "The package cryptography is not installed, so a secret alone was asked for, no certificate"
            " (with it: pip install cryptography, then claim with a new code)."
        )
    made = _ask(at, request, said)
    try:
        return [*said, *_keep(made, key, at.host, config)]
    except (OSError, ValueError) as problem:
        raise ClaimFailed(
            f"the credentials came, but cannot be kept in {str(folder)!r}: {problem}. The claim code is used up:"
            " ask for a new one"
        ) from problem


def _room(folder: Path) -> None:
    """Whether the files can be written, before the code is spent."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            file.write(bytes(ROOM_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as problem:
        words = f"nothing can be written to {str(folder)!r}: {problem.strerror or problem}. Nothing was claimed"
        raise ClaimFailed(words) from problem


def _ask(at: Where, request: str, said: list[str]) -> Credentials:
    status, body = _post(at, {"code": at.code, "csr": request} if request else {"code": at.code})
    if status == 422 and request and _member(body, "field") == "csr":
        # the platform looks at the request before it spends the code
        rule = _member(body, "rule") or "no reason was given"
        said.append(f"The platform signs no certificate for this request ({rule}): a secret alone was asked for.")
        request = ""
        status, body = _post(at, {"code": at.code})
    if status != 201:
        raise ClaimFailed(_why(at, status, body))
    try:
        made = msgspec.json.decode(body, type=Credentials)
    except (msgspec.DecodeError, msgspec.ValidationError) as problem:
        raise ClaimFailed(f"{at.url} answered something that is no claim's answer") from problem
    if request and not made.certificate:
        said.append("The platform sent no certificate: the device signs in with its secret.")
    return made


def _why(at: Where, status: int, body: bytes) -> str:
    reason = _member(body, "reason") or _BY_STATUS.get(status, "")
    if status == 404 and not _member(body, "reason"):
        return f"there is no platform at {at.url}: look at the address"
    if reason in REFUSED:
        return REFUSED[reason]
    if status == 422:
        return "the platform does not take this for a claim code: look at every character"
    if 300 <= status < 400:
        return f"{at.url} sends us somewhere else; a claim code is given to nobody but the address that was named"
    return f"the platform at {at.url} cannot take the claim now (HTTP {status}): try again later"


def _member(body: bytes, name: str) -> str:
    try:
        found = json.loads(body)
    except ValueError:
        return ""
    value = found.get(name) if isinstance(found, dict) else None
    return value if isinstance(value, str) and value.isprintable() else ""


class _Stays(urllib.request.HTTPRedirectHandler):
    """The code goes where it was meant to go, and nowhere else."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: http.client.HTTPMessage,
        newurl: str,
    ) -> None:  # fmt: skip
        return None


def _post(at: Where, what: Mapping[str, str]) -> tuple[int, bytes]:
    handlers: list[urllib.request.BaseHandler] = [_Stays()]
    if at.plain:
        handlers.append(urllib.request.ProxyHandler({}))  # a proxy would read it
    else:
        try:
            context = ssl.create_default_context(cafile=at.ca or None)
        except OSError as problem:
            raise ClaimFailed(f"--ca {at.ca!r} cannot be read: {problem}") from problem
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        handlers.append(urllib.request.HTTPSHandler(context=context))
    request = urllib.request.Request(
        at.url, json.dumps(what).encode(), {"Content-Type": "application/json", "Accept": "application/json"}
    )
    sent = False
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=TIMEOUT_S) as answer:
            sent = True
            return answer.status, answer.read(MOST_BYTES)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read(MOST_BYTES)
    except urllib.error.URLError as problem:
        if isinstance(problem.reason, ssl.SSLCertVerificationError):
            raise ClaimFailed(
                f"{at.host} cannot prove who it is: {problem.reason.verify_message}. Nothing was sent; name its"
                " authority with --ca FILE"
            ) from problem
        raise ClaimFailed(f"no platform answers at {at.url}: {problem.reason}") from problem
    except (OSError, http.client.HTTPException) as problem:
        lost = "the answer broke off" if sent else "no answer came"
        raise ClaimFailed(
            f"{lost} from {at.url}: {problem or type(problem).__name__}. The claim code may be used up: if it is not"
            " taken again, ask for a new one"
        ) from problem


def _keep(made: Credentials, key: str, host: str, config: Path) -> list[str]:
    """Write what came. Raises OSError, ValueError."""
    folder, said = config.parent, []
    url = made.mqtts or made.mqtt
    if not url:
        shown = f"[{host}]" if ":" in host else host
        url = f"mqtts://{quote(made.username, safe='')}:{quote(made.password, safe='')}@{shown}:8883"
        said.append(f"The platform did not say where its broker is; {shown}:8883 is assumed.")
    address = BrokerAddress.of(url)
    lines = [f'mqtt_file = "{URL_FILE}"']
    if address.tls and made.ca:
        write_secret(folder / CA, made.ca.encode())
        lines.append(f'ca = "{CA}"')
    if address.tls and made.certificate and key:
        write_secret(folder / KEY, key.encode())
        write_secret(folder / CERTIFICATE, made.certificate.encode())
        lines += [f'certificate = "{CERTIFICATE}"', f'key = "{KEY}"']
        said.append("With a certificate of its own, too.")
    write_secret(folder / URL_FILE, f"{url}\n".encode())
    said.insert(0, f"Claimed: this machine is device {made.tenant}/{made.device}, broker {address.host}:{address.port}")
    if not address.tls:
        said.append("The broker is spoken to without TLS: on a network that others share, have the platform offer it.")
    commands = []
    if _COMMAND_KEY.fullmatch(made.command_key):
        commands = ["[commands]  # docs/commands.md", f'key = "{made.command_key}"']
    if config.exists():
        said += [f"{config} is left as it is; these lines must stand at its top:", *(f"  {line}" for line in lines)]
        if commands:
            said += ["And these, for it to take commands, at its end:", *(f"  {line}" for line in commands)]
    else:
        text = ["# Made by forewarn-agent claim. Drivers: docs/drivers.md", *lines, "", "[host]  # this computer's own"]
        text += ["", *commands] if commands else []
        write_secret(config, ("\n".join(text) + "\n").encode())
        said.append(f"{config} reads this computer's own figures to begin with; the secret is in {folder / URL_FILE}.")
    said.append(f"Next: forewarn-agent run --config {config}")
    return said
