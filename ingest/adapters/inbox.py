"""What waits between the network thread, which reads, and the writer, which takes: bounded in bytes."""

import threading
from collections import deque
from collections.abc import Callable

from plumbing.mqtt import Incoming

NAP_S = 0.02
OVERHEAD = 200
"""Bytes that a waiting message costs besides its body."""


class Inbox:
    """A queue of messages. `put` blocks while it is full, so nothing more is read from the broker's socket."""

    def __init__(self, max_bytes: int, monotonic: Callable[[], float]) -> None:
        self._max_bytes, self._monotonic = max_bytes, monotonic
        self._waiting: deque[Incoming] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._closed = False
        self._ended = threading.Event()
        self.blocked = 0
        """How often the reader had to wait."""

    @property
    def waiting(self) -> tuple[int, int]:
        """Messages and bytes that wait."""
        return len(self._waiting), self._bytes

    def put(self, message: Incoming) -> None:
        """Called by the network thread."""
        with self._changed:
            if self._bytes > self._max_bytes and not self._closed:
                self.blocked += 1
                while self._bytes > self._max_bytes and not self._closed:
                    self._changed.wait(1.0)
            first = not self._waiting
            self._waiting.append(message)
            self._bytes += len(message.body) + OVERHEAD
            if first:
                self._changed.notify_all()

    def take(self, max_bytes: int, within_s: float, idle_s: float) -> list[Incoming]:
        """The next block: full, or `within_s` after its first message came; empty after `idle_s` without any."""
        with self._changed:
            if not self._waiting:
                self._changed.wait_for(lambda: bool(self._waiting) or self._closed, idle_s)
            until = self._monotonic() + within_s
        while self._waiting and self._bytes < max_bytes and not self._closed:
            left = until - self._monotonic()
            if left <= 0:
                break
            # a nap, not a wake-up by every message: the reader is not held up, and it costs half the time
            self._ended.wait(min(left, NAP_S))
        out: list[Incoming] = []
        taken = 0
        with self._changed:
            while self._waiting and taken < max_bytes:
                message = self._waiting.popleft()
                taken += len(message.body) + OVERHEAD
                out.append(message)
            self._bytes -= taken
            if out:
                self._changed.notify_all()
        return out

    def close(self) -> None:
        """Let nobody wait any more; what waits may still be taken."""
        with self._changed:
            self._closed = True
            self._ended.set()
            self._changed.notify_all()
