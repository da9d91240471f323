"""The device's side of the contract for simulated machines: many devices, one thread, no disk.

A simulated machine can give its sample number k again at any time, so its source is its outbox: after a restart it says
which numbers exist, and the platform asks for what it lacks. Written from the contract alone, on its own.
"""

import selectors
import socket
import threading
from collections.abc import Callable

from contracts import wire
from simulators.line import Counters, Key, Line, SimDevice, Source

__all__ = ["Counters", "Key", "SimDevice", "SimLink", "Source"]

TICK_S = 0.25
STOP_S = 5.0


class SimLink:
    """All devices of a simulation on one broker.

    Parameters
    ----------
    host, port
        The broker.
    monotonic
        Gives seconds; only differences count.
    window
        Most unsettled samples in flight, a device.
    batch
        Most samples in a message.
    """

    def __init__(
        self, host: str, port: int, monotonic: Callable[[], float], *, window: int = wire.WINDOW, batch: int = 10
    ) -> None:
        self._where, self._monotonic = (host, port), monotonic
        self._window, self._batch = window, batch
        self._lines: dict[Key, Line] = {}
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._wake_out, self._wake_in = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)

    def add(self, device: SimDevice, newest: int = 0) -> None:
        """Take a device in, whose samples 1..newest exist; it connects at once if the link runs."""
        with self._changed:
            self._lines[device.key] = Line(device, newest, self._window, self._batch)
        self._wake()

    def advance(self, device: Key, newest: int) -> None:
        """Samples up to number `newest` exist now; never back."""
        with self._changed:
            line = self._lines[device]
            if newest <= line.newest:
                return
            line.newest = newest
        self._wake()

    def counters(self, device: Key) -> Counters:
        """The counters of one device."""
        return self._lines[device].counters

    def totals(self) -> Counters:
        """The counters of all devices together."""
        all_of = [line.counters for line in list(self._lines.values())]
        return Counters(*(sum(getattr(c, name) for c in all_of) for name in Counters.__dataclass_fields__))

    def through(self, device: Key) -> int:
        """Up to which number everything of the device is settled."""
        return self._lines[device].through

    def problems(self) -> dict[Key, str]:
        """Why devices have no connection, in words; devices that have one are left out."""
        return {key: line.problem for key, line in list(self._lines.items()) if line.problem}

    def drained(self, timeout: float) -> bool:
        """Wait until all that exists is settled; False when it is not after `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: all(line.is_drained for line in self._lines.values()), timeout)

    def start(self) -> None:
        """Begin to connect; returns at once."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="simulated devices", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take all devices off line cleanly."""
        self._stopping.set()
        self._wake()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _wake(self) -> None:
        try:
            self._wake_out.send(b"x")
        except BlockingIOError:
            return  # it is awake

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake_in, selectors.EVENT_READ)
            while not self._stopping.is_set():
                self._turn(selector)
            self._end(selector)

    def _turn(self, selector: selectors.BaseSelector) -> None:
        with self._changed:
            lines = list(self._lines.values())
        busy = False
        for line in lines:
            now = self._monotonic()
            if line.client is None and now >= line.retry_at:
                line.connect(*self._where, now)
            busy = line.work(now) or busy
        self._wait(selector, lines, 0.0 if busy else TICK_S)
        with self._changed:
            self._changed.notify_all()

    def _wait(self, selector: selectors.BaseSelector, lines: list[Line], timeout: float) -> None:
        """Serve the sockets that are ready."""
        for line in lines:  # first all that ended: the system gives their numbers to new sockets
            line.unwatch(selector)
        for line in lines:
            line.watch(selector)
        for ready, events in selector.select(timeout):
            if ready.data is None:
                try:
                    while self._wake_in.recv(4096):
                        pass
                except BlockingIOError:
                    continue
            else:
                ready.data.serve(events, self._monotonic())

    def _end(self, selector: selectors.BaseSelector) -> None:
        lines = list(self._lines.values())
        for line in lines:
            line.leave()
        until = self._monotonic() + STOP_S
        while any(line.client is not None for line in lines) and self._monotonic() < until:
            self._wait(selector, lines, 0.05)
            for line in lines:
                line.work(self._monotonic())
