"""Mosquitto's `passwd` and `acl`, generated from the registry."""

import os
import signal
from pathlib import Path

import sqlalchemy as sa

from ingest.domain.rights import acl
from ingest.service.registry import SHUT_OUT
from ingest.service.tables import devices, service_accounts
from plumbing.sql import Database


def write_mosquitto_files(database: Database, folder: Path, *, reload_pid: int | None = None) -> bool:
    """Write both files if they changed (each replaced as a whole, mode 0600); returns whether they did.

    `reload_pid` names a broker that is told to read them again.
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
    folder.mkdir(parents=True, exist_ok=True)
    # the list of rights first: a new account never meets an old list
    changed = _replace(folder / "acl", acl(others))
    changed = _replace(folder / "passwd", "".join(lines)) or changed
    if changed and reload_pid is not None:
        os.kill(reload_pid, signal.SIGHUP)
    return changed


def _replace(path: Path, text: str) -> bool:
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
