"""Whom Mosquitto refused, read from the notices that it publishes.

Mosquitto 2.0 names the topic of a refused publish in its debug log alone, which has a line for every message (38 %
more processor time a message, and 330 bytes of log). What it says at the level of notices: with no limit of queued
messages it ends the connection of whoever publishes where it may not, with a line of its own. That line is counted, by
account and without the topic; refused sign-ins are counted without an account, which it does not name.

The notices also tell on which of its ports an account came in.
"""

import re
from collections.abc import Callable

from ingest.domain.rights import BROKER_LOG, WATCH
from ingest.service.refusals import OTHERS
from plumbing.mqtt import Incoming, MqttLink
from plumbing.tls import TlsFiles

MOST_COMING = 10_000
UNNAMED = "(not named by Mosquitto)"
"""Stands for the topic."""
_PUBLISH = re.compile(r"(?:\d+: )?Bad socket read/write on client (?P<user>.+): Unknown error\.")
_SIGN_IN = re.compile(r"(?:\d+: )?Client <unknown> disconnected(?:, not authorised|: Protocol error)\.")
_COMING = re.compile(r"(?:\d+: )?New connection from (?P<address>\S+) on port (?P<port>\d+)\.")
_IN = re.compile(r"(?:\d+: )?New client connected from (?P<address>\S+) as (?P<user>.+) \(p\d.*\)\.")


def refusal(notice: str) -> tuple[str, str] | None:
    """Account and topic of a refusal, as `Tally.add` takes them; None for any other notice."""
    if found := _PUBLISH.fullmatch(notice):
        return found["user"], UNNAMED
    return (OTHERS, "") if _SIGN_IN.fullmatch(notice) else None


class MosquittoLog:
    """Reads the notices, and counts: plumbing.runtime.Service."""

    name = "broker log"

    def __init__(self, url: str, count: Callable[[str, str], None], tls: TlsFiles | None = None) -> None:
        self._count = count
        self._coming: dict[str, int] = {}
        self._ports: dict[str, int] = {}
        self._link = MqttLink(
            url, WATCH, subscribe=[BROKER_LOG], on_connect=lambda: None, on_message=self._take, tls=tls
        )

    def start(self) -> None:
        """Connect, in threads of its own."""
        self._link.start()

    def stop(self) -> None:
        """Disconnect."""
        self._link.stop()

    def healthy(self) -> str:
        """Without it nothing is counted, and all else works."""
        return ""

    def port_of(self, username: str) -> int | None:
        """The port on which an account came in last; None where it has not since this began to read."""
        return self._ports.get(username)

    def _take(self, message: Incoming) -> None:
        notice = message.body.decode("utf-8", "replace")
        if coming := _COMING.fullmatch(notice):
            self._coming[coming["address"]] = int(coming["port"])
            if len(self._coming) > MOST_COMING:
                del self._coming[next(iter(self._coming))]
        elif came := _IN.fullmatch(notice):
            port = self._coming.pop(came["address"], None)
            if port is not None:
                self._ports[came["user"]] = port
        elif found := refusal(notice):
            self._count(*found)
