"""TLS for MQTT: 1.2 or newer, on either side."""

import ssl
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Files (PEM) of a client. Empty = none: the system's authorities, no certificate of its own."""

    ca: str = ""
    certificate: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class BrokerTls:
    """Files (PEM) of a broker: its certificate and key, who signs its clients' certificates, what was revoked."""

    certificate: Path
    key: Path
    clients: Path
    revoked: Path


def client_context(files: TlsFiles) -> ssl.SSLContext:
    """Verify the broker and its name; show a certificate where there is one. Raises OSError (ssl.SSLError is one)."""
    made = ssl.create_default_context(cafile=files.ca or None)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    if files.certificate:
        made.load_cert_chain(files.certificate, files.key or None, password=_no_password)
    return made


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Show a certificate, and ask for none. Raises OSError."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    show(made, certificate, key)
    return made


def show(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    """Show this certificate from the next connection on. Raises OSError."""
    context.load_cert_chain(certificate, key, password=_no_password)


def broker_context(files: BrokerTls) -> ssl.SSLContext:
    """Ask for a client's certificate, and verify it where there is one. Raises OSError."""
    made = server_context(files.certificate, files.key)
    made.verify_mode = ssl.CERT_OPTIONAL
    made.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    # a resumed session would skip the look at the list of revoked certificates
    made.num_tickets = 0
    made.options |= ssl.OP_NO_TICKET
    renew(made, files)
    return made


def renew(context: ssl.SSLContext, files: BrokerTls) -> None:
    """Read the broker's certificate, who signs clients' and the list of revoked ones again.

    Connections from now on meet them. An authority that is in the file no more stays trusted until the start.
    """
    show(context, files.certificate, files.key)
    context.load_verify_locations(files.clients)
    context.load_verify_locations(files.revoked)


def _no_password() -> str:
    """An encrypted key must not make a service wait at a terminal."""
    raise ssl.SSLError("the private key is encrypted: give it in plain, in a file of mode 0600")
