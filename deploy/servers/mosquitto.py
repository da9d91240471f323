"""A real Mosquitto broker, configured as Forewarn asks for."""

from __future__ import annotations

import os
import pwd
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from deploy.servers.available import path_of
from deploy.servers.process import Server, accepts_connections


def owner_name() -> str:
    """Name the user that this process runs as."""
    return pwd.getpwuid(os.geteuid()).pw_name


def mosquitto_config(port: int, passwd: Path, acl: Path, persistence: Path, user: str) -> str:
    """Return the configuration that the device link relies on.

    Mosquitto's own defaults hold 1,000 messages for an absent subscriber and drop the rest without a word, hence
    the two zeros (no limit). `user` has to own `passwd`, `acl` and the persistence folder: started by root, the broker
    otherwise becomes `mosquitto` and cannot read them.
    """
    return "\n".join(
        (
            f"listener {port} 127.0.0.1",
            "allow_anonymous false",
            f"password_file {passwd}",
            f"acl_file {acl}",
            "use_username_as_clientid true",
            "max_queued_messages 0",
            "max_inflight_messages 0",
            "message_size_limit 16777216",
            "persistence true",
            f"persistence_location {persistence}/",
            f"user {user}",
            "log_dest stderr",
            "",
        )
    )


class Mosquitto(Server):
    """A Mosquitto on a port of its own.

    Parameters
    ----------
    folder
        For configuration, persistence and log.
    passwd, acl
        The files that ingest generates; read at start and at `reload`.
    extra
        Further lines of configuration, for what a test wants otherwise.
    port, ready_within
        As in `Server`.
    """

    name: ClassVar[str] = "mosquitto"

    def __init__(
        self,
        folder: Path,
        passwd: Path,
        acl: Path,
        extra: Sequence[str] = (),
        port: int | None = None,
        ready_within: float = 30.0,
    ) -> None:
        super().__init__(folder, port, ready_within)
        self.passwd = passwd.resolve()
        self.acl = acl.resolve()
        self.extra = tuple(extra)

    def reload(self) -> None:
        """Make the broker read `passwd` and `acl` again (SIGHUP)."""
        os.kill(self.pid, signal.SIGHUP)

    def url(self, username: str, secret: str) -> str:
        """Return the address in the form of FOREWARN_MQTT_URL."""
        return f"mqtt://{username.replace('/', '%2F')}:{secret}@127.0.0.1:{self.port}"

    def _prepare(self) -> None:
        persistence = self.folder / "persistence"
        persistence.mkdir(exist_ok=True)
        text = mosquitto_config(self.port, self.passwd, self.acl, persistence, owner_name())
        (self.folder / "mosquitto.conf").write_text(text + "".join(f"{line}\n" for line in self.extra))

    def _command(self) -> Sequence[str | Path]:
        return (path_of("mosquitto"), "-c", self.folder / "mosquitto.conf")

    def _ready(self) -> bool:
        return accepts_connections(self.port)
