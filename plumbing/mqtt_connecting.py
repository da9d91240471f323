"""What every connection to a broker does, whoever reads the packets: it connects again for ever, in a thread."""

import logging
import threading
from abc import ABC, abstractmethod

from plumbing.mqtt_patience import Patience
from plumbing.system_clock import SystemClock

KEEPALIVE_S = 20
CONNECT_TIMEOUT_S = 5.0
STOP_TIMEOUT_S = 5.0
NOT_YET = "not connected yet"
log = logging.getLogger(__name__)


class Connecting(ABC):
    """Connects, and reconnects for ever, in a thread of its own.

    Attributes
    ----------
    epoch : int
        Number of the connection, 0 before the first.
    problem : str
        Why there is no connection, in words; empty while connected.
    """

    def __init__(self, client_id: str, account: str) -> None:
        self._client_id = client_id
        self._time = SystemClock()
        self._patience = Patience(account, self._time.monotonic)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.epoch = 0
        self.problem = NOT_YET

    @property
    @abstractmethod
    def connected(self) -> bool:
        """Whether the broker has taken the connection and it has not ended since."""

    @abstractmethod
    def _one_connection(self) -> None:
        """Connect, and return when the connection has ended."""

    @abstractmethod
    def _hang_up(self) -> None:
        """Say goodbye to the broker, if there is a connection."""

    def start(self) -> None:
        """Begin to connect; returns at once."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name=f"mqtt {self._client_id}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Send what was published, disconnect (the will is not published), end the threads."""
        self._stopping.set()
        self._hang_up()
        if self._thread is not None:
            self._thread.join(2 * STOP_TIMEOUT_S + CONNECT_TIMEOUT_S)
            self._thread = None

    def _run(self) -> None:
        while not self._stopping.is_set():
            before = self.epoch
            self._one_connection()
            wait, words = self._patience.wait(self.epoch > before)
            if words:
                self._refused(words)
            self._stopping.wait(wait)
        self.problem = "stopped"

    def _refused(self, words: str) -> None:
        self._note(words)

    def _note(self, words: str) -> None:
        if words != self.problem:
            self.problem = words
            log.warning("%s", words)
