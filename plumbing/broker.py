"""The embedded MQTT 3.1.1 broker: amqtt in a thread with a loop of its own, for the product in one process."""

import asyncio
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plumbing.foreign_listener import ForeignListener
from plumbing.tls import BrokerTls, broker_context, renew

if TYPE_CHECKING:
    from plumbing.amqtt_broker import RuledBroker

START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class TlsPort:
    """Where to listen with TLS; port 0 takes any free one."""

    host: str
    port: int
    files: BrokerTls


class BrokerNotStarted(Exception):
    """The broker cannot listen; the text says where and why."""


class EmbeddedBroker:
    """A broker that lets in accounts alone; an account's client id is its user name, whatever the client sends.

    A second connection of an account ends the first. Sessions are clean: nothing is kept for the absent but retained
    messages, and these not on disk.

    Parameters
    ----------
    host, port
        Where to listen; port 0 takes any free one, see `port` after `start`.
    authenticate
        (user name, secret) -> whether it is let in. Runs in a worker thread.
    may_publish
        (user name, topic) -> whether a publish is passed on. A forbidden one is acknowledged, dropped and reported.
        Runs on the broker's loop: must answer from memory.
    may_receive
        (user name, topic filter) -> whether a subscription is taken; a forbidden one is answered with 0x80.
        Runs on the broker's loop.
    on_refused
        Told of each forbidden publish, with user name and topic, and of each refused sign-in, with topic "". Runs on
        the broker's loop.
    tls
        A second listener, with TLS; its clients may show a certificate instead of a secret.
    certified
        (the certificate's common name, its SHA-256) -> whether it is let in. Runs in a worker thread.
    foreign
        Serves the connections of accounts that it claims for itself.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        authenticate: Callable[[str, str], bool],
        may_publish: Callable[[str, str], bool],
        may_receive: Callable[[str, str], bool],
        on_refused: Callable[[str, str], None],
        tls: TlsPort | None = None,
        certified: Callable[[str, str], bool] = lambda _user, _fingerprint: False,
        foreign: ForeignListener | None = None,
    ) -> None:
        self._foreign = foreign
        self._host, self.port = host, port
        self._tls, self.tls_port = tls, tls.port if tls else 0
        self._context: ssl.SSLContext | None = None
        self._rules = (authenticate, may_publish, may_receive, on_refused, certified)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._broker: RuledBroker | None = None

    def start(self) -> None:
        """Listen. Raises BrokerNotStarted: a port is taken, an address is not ours, a certificate cannot be read."""
        _try(self._host, self.port)
        if self._tls is not None:
            _try(self._tls.host, self._tls.port)
            try:
                self._context = broker_context(self._tls.files)
            except OSError as problem:
                raise BrokerNotStarted(f"the broker's certificates cannot be used: {problem}") from problem
        # amqtt speaks of every packet; what matters is said in plumbing.amqtt_broker's words
        for name in ("amqtt", "transitions"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="broker", daemon=True)
        self._thread.start()
        try:
            self._call(self._listen(), START_TIMEOUT_S)
        except BrokerNotStarted:
            self._end_loop()
            raise

    async def _listen(self) -> None:
        from amqtt.errors import BrokerError

        from plumbing.amqtt_broker import RuledBroker, Rules, TlsListener

        tls = None
        if self._tls is not None and self._context is not None:
            tls = TlsListener(self._tls.host, self._tls.port, self._context)
        broker = RuledBroker(self._host, self.port, Rules(*self._rules), tls)
        try:
            await broker.start()
        except BrokerError as problem:
            raise BrokerNotStarted(f"the broker cannot listen on {self._host}:{self.port}: {problem}") from problem
        broker.foreign = self._foreign
        self._broker, self.port, self.tls_port = broker, broker.port, broker.tls_port

    def renew_certificates(self) -> None:
        """Read the broker's certificate, clients' authorities and the list of revoked ones again. Raises OSError."""
        if self._tls is not None and self._context is not None:
            renew(self._context, self._tls.files)

    def send_away(self, gone: Callable[[str, int], bool]) -> None:
        """End live connections whose certificate (SHA-256, serial number) is good no more; any thread but the broker's.

        `gone` runs on the broker's loop: must answer from memory.
        """
        if self._broker is not None:
            self._call(self._broker.send_away(gone), STOP_TIMEOUT_S)

    def disconnect(self, user: str) -> None:
        """End the connection of an account, when it was revoked. Any thread but the broker's may call."""
        if self._broker is not None:
            self._call(self._broker.disconnect(user), STOP_TIMEOUT_S)

    def stop(self) -> None:
        """End all connections and stop to listen."""
        if self._broker is not None:
            broker, self._broker = self._broker, None
            self._call(broker.shutdown(), STOP_TIMEOUT_S)
        self._end_loop()

    def _call(self, work: Coroutine[Any, Any, None], timeout_s: float) -> None:
        if self._loop is not None:
            asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout_s)

    def _end_loop(self) -> None:
        if self._loop is None or self._thread is None:
            return
        loop, self._loop = self._loop, None
        loop.call_soon_threadsafe(loop.stop)
        self._thread.join(STOP_TIMEOUT_S)
        if not self._thread.is_alive():
            loop.close()


def _try(host: str, port: int) -> None:
    """Whether one can listen there. Raises BrokerNotStarted."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as problem:
        raise BrokerNotStarted(f"the broker cannot listen on {host}:{port}: {problem.strerror or problem}") from problem
