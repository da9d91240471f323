"""The embedded MQTT 3.1.1 broker: amqtt in a thread with a loop of its own, for the product in one process."""

import asyncio
import logging
import socket
import threading
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plumbing.amqtt_broker import RuledBroker

START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 10.0


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
        Told of each forbidden publish, with user name and topic. Runs on the broker's loop.
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
    ) -> None:
        self._host, self.port = host, port
        self._rules = (authenticate, may_publish, may_receive, on_refused)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._broker: RuledBroker | None = None

    def start(self) -> None:
        """Listen. Raises BrokerNotStarted when the port is taken or the address is not ours."""
        try:
            family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((self._host, self.port))
        except OSError as problem:
            words = f"the broker cannot listen on {self._host}:{self.port}: {problem.strerror or problem}"
            raise BrokerNotStarted(words) from problem
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

        from plumbing.amqtt_broker import RuledBroker, Rules

        broker = RuledBroker(self._host, self.port, Rules(*self._rules))
        try:
            await broker.start()
        except BrokerError as problem:
            raise BrokerNotStarted(f"the broker cannot listen on {self._host}:{self.port}: {problem}") from problem
        self._broker, self.port = broker, broker.port

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
