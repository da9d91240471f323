"""A real PostgreSQL with a cluster of its own."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import psycopg

from deploy.servers.available import path_of
from deploy.servers.process import Server, ServerFailed

_SUPERUSER = "forewarn"


class PostgreSQL(Server):
    """A PostgreSQL on a port of its own; its cluster is made at the first start.

    PostgreSQL refuses to run as root. Started by root it runs as `postgres` or `nobody`, and since these can seldom
    enter root's temporary folders, its data then lies in a temporary folder of their own, which `close` removes.

    Parameters
    ----------
    folder
        For log and, unless root starts it, data.
    durable
        True syncs to disk as in production. False, the default, survives a SIGKILL (the operating system keeps what
        was written) but no power cut, and is several times faster.
    settings
        Further settings, such as {"max_connections": "300"}.
    port, ready_within
        As in `Server`.
    """

    name: ClassVar[str] = "postgresql"
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT  # "fast": sessions are ended, then a checkpoint

    def __init__(
        self,
        folder: Path,
        durable: bool = False,
        settings: dict[str, str] | None = None,
        port: int | None = None,
        ready_within: float = 60.0,
    ) -> None:
        super().__init__(folder, port, ready_within)
        self.durable = durable
        self.settings = dict(settings or {})
        self._password = secrets.token_urlsafe(16)
        self._databases = 0
        self._account = _unprivileged_account() if os.geteuid() == 0 else None
        self._foreign_home = self._account is not None
        if self._account is None:
            self.data = self.folder / "data"
        else:
            home = Path(tempfile.mkdtemp(prefix="forewarn-postgresql-"))
            os.chown(home, self._account.pw_uid, self._account.pw_gid)
            self.data = home / "data"

    def url(self, database: str = "postgres") -> str:
        """Return the address of a database as SQLAlchemy reads it."""
        return f"postgresql+psycopg://{_SUPERUSER}:{self._password}@127.0.0.1:{self.port}/{database}"

    def create_database(self) -> str:
        """Make an empty database with a name of its own and return its address."""
        self._databases += 1
        name = f"forewarn_{self._databases}"
        self._execute(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Remove a database, whoever is still connected to it."""
        self._execute(f'DROP DATABASE IF EXISTS "{url.rpartition("/")[2]}" WITH (FORCE)')

    def close(self) -> None:
        """Stop for good; removes the data where they lie outside the folder."""
        super().close()
        if self._foreign_home:
            shutil.rmtree(self.data.parent, ignore_errors=True)

    def _prepare(self) -> None:
        if (self.data / "PG_VERSION").exists():
            return
        password_file = self.data.parent / "password"
        password_file.write_text(self._password)
        if self._account is not None:
            os.chown(password_file, self._account.pw_uid, self._account.pw_gid)
        password_file.chmod(0o600)
        command: list[str | Path] = [path_of("postgresql") / "initdb", "-D", self.data, "--username", _SUPERUSER]
        command += ["--auth", "scram-sha-256", "--pwfile", password_file]
        command += ["--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"]
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            user=self._user(),
            group=self._group(),
            extra_groups=None if self._account is None else [],
            timeout=120,
            check=False,
        )
        password_file.unlink()
        if done.returncode != 0:
            raise ServerFailed(f"initdb ended with code {done.returncode}\n{done.stdout.decode(errors='replace')}")

    def _command(self) -> Sequence[str | Path]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "shared_buffers": "64MB",
            "synchronous_commit": "on",
            "fsync": "on" if self.durable else "off",
            "full_page_writes": "on" if self.durable else "off",
            **self.settings,
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return (path_of("postgresql") / "postgres", "-D", self.data, *options)

    def _ready(self) -> bool:
        try:
            self._execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _execute(self, statement: str) -> None:
        conninfo = self.url().replace("+psycopg", "")
        with psycopg.connect(conninfo, autocommit=True, connect_timeout=2) as connection:
            connection.execute(statement.encode())

    def _user(self) -> str | None:
        return None if self._account is None else self._account.pw_name

    def _group(self) -> int | None:
        return None if self._account is None else self._account.pw_gid


def _unprivileged_account() -> pwd.struct_passwd:
    accounts = {account.pw_name: account for account in pwd.getpwall()}
    for name in ("postgres", "nobody"):
        if name in accounts:
            return accounts[name]
    raise ServerFailed("PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody")
