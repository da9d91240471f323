"""Mosquitto's accounts, rights and configuration, generated from the registry."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from ingest.domain.rights import acl, acl_of_certificates
from ingest.service.registry import SHUT_OUT
from ingest.service.tables import devices, service_accounts
from plumbing.sql import Database


def write_mosquitto_files(database: Database, folder: Path, *, reload_pid: int | None = None) -> bool:
    """Write the files if they changed (each replaced as a whole, mode 0600); returns whether they did.

    `passwd` and `acl` are of the listeners where devices show a secret, `acl-certificates` is of the one where they
    show a certificate. `reload_pid` names a broker that is told to read them again.
    """
    with database.read() as connection:
        known = connection.execute(
            sa.select(devices.c.tenant, devices.c.device, devices.c.username, devices.c.password)
            .where(devices.c.state.not_in(SHUT_OUT))
            .order_by(devices.c.username)
        ).all()
        services = connection.execute(
            sa.select(service_accounts.c.name, service_accounts.c.password).order_by(service_accounts.c.name)
        ).all()
    lines = [f"{name}:{password}\n" for name, password in services]
    lines += [f"{row.username}:{row.password}\n" for row in known]
    others = {
        row.username: f"{row.tenant}/{row.device}" for row in known if row.username != f"{row.tenant}/{row.device}"
    }
    everyone = {row.username: f"{row.tenant}/{row.device}" for row in known}
    folder.mkdir(parents=True, exist_ok=True)
    # the list of rights first: a new account never meets an old list
    changed = write_once(folder / "acl", acl(others, [name for name, _ in services]))
    changed = write_once(folder / "acl-certificates", acl_of_certificates(everyone)) or changed
    changed = write_once(folder / "passwd", "".join(lines)) or changed
    if changed and reload_pid is not None:
        os.kill(reload_pid, signal.SIGHUP)
    return changed


CERTIFICATE_PORT = 8884


@dataclass(frozen=True, slots=True)
class Listeners:
    """Where Mosquitto listens; port 0 = not at all.

    `plain` is for the product itself: give it an address that no device reaches, such as 127.0.0.1 or a network of
    containers. `secret` takes user name and secret, `certificate` asks for a certificate; both by TLS.
    """

    plain: int = 1883
    plain_address: str = "127.0.0.1"
    secret: int = 8883
    certificate: int = CERTIFICATE_PORT
    address: str = ""


def mosquitto_config(folder: Path, listeners: Listeners, user: str = "") -> str:
    """The configuration of a Mosquitto that reads its files in `folder`.

    Rights differ by listener: at the certificate's no account is looked up. Mosquitto's own defaults hold 1,000
    messages for an absent subscriber and drop the rest without a word, hence the two zeros (no limit). `user` (where
    Mosquitto is started by root) must own the files.
    """
    of_secrets = (
        "allow_anonymous false", f"password_file {folder}/passwd", f"acl_file {folder}/acl",
        "use_username_as_clientid true",
    )  # fmt: skip
    tls = (f"certfile {folder}/server.crt", f"keyfile {folder}/server.key", "tls_version tlsv1.2")
    lines = ["per_listener_settings true", ""]
    if listeners.plain:
        lines += [f"listener {listeners.plain} {listeners.plain_address}".rstrip(), *of_secrets, ""]
    if listeners.secret:
        lines += [f"listener {listeners.secret} {listeners.address}".rstrip(), *of_secrets, *tls, ""]
    if listeners.certificate:
        lines += [
            f"listener {listeners.certificate} {listeners.address}".rstrip(), "allow_anonymous false",
            f"acl_file {folder}/acl-certificates", "use_identity_as_username true", "use_username_as_clientid true",
            "require_certificate true", f"cafile {folder}/clients.crt", f"crlfile {folder}/revoked.crl", *tls, "",
        ]  # fmt: skip
    lines += [
        "max_queued_messages 0", "max_inflight_messages 0", "message_size_limit 16777216", "max_packet_size 16777216",
        "persistence true", f"persistence_location {folder}/data/", *([f"user {user}"] if user else []),
        # notices are published on $SYS/broker/log/N too: there they are counted
        "log_dest stderr", "log_dest topic", "log_type error", "log_type warning", "log_type notice",
        "log_type information",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def write_once(path: Path, text: str) -> bool:
    """Replace a file as a whole (mode 0600) unless it says this already; returns whether it did not."""
    if path.exists() and path.read_text() == text:
        return False
    new = path.with_name(path.name + ".new")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    return True
