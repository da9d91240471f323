"""What waits between the network thread, which reads, and the writer, which takes: bounded in bytes.

While more waits than a block holds, each device has an equal share of every block: a few that flood never hold up the
one that has something to say. What one device sent keeps its order.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence

from plumbing.mqtt import Incoming

NAP_S = 0.02
OVERHEAD = 200
"""Bytes that a waiting message costs besides its body."""


def size_of(messages: Sequence[Incoming]) -> int:
    """Bytes that messages cost while they wait."""
    return sum([len(m.body) for m in messages]) + OVERHEAD * len(messages)


class Inbox:
    """A queue of messages. While it is full there is no `room`, so nothing more is read from the broker's socket."""

    def __init__(self, max_bytes: int, monotonic: Callable[[], float]) -> None:
        self._max_bytes, self._monotonic = max_bytes, monotonic
        self._waiting: deque[tuple[list[Incoming], int, float]] = deque()
        """Messages that came together, their size, when they came."""
        self._turns: dict[str, deque[Incoming]] = {}
        """Messages by device, whose turn is next first; used while more waits than a block holds."""
        self._passed_over = False
        """Whether new ones alone had the last block."""
        self._messages = self._bytes = 0
        self._changed = threading.Condition()
        self._closed = False
        self._ended = threading.Event()
        self.blocked = 0
        """How often the reader had to wait."""

    @property
    def waiting(self) -> tuple[int, int]:
        """Messages and bytes that wait."""
        return self._messages, self._bytes

    def room(self, within_s: float) -> bool:
        """Whether more may be put in; waits for it."""
        if self._bytes <= self._max_bytes or self._closed:
            return True
        with self._changed:
            self.blocked += 1
            return self._changed.wait_for(lambda: self._bytes <= self._max_bytes or self._closed, within_s)

    def put(self, message: Incoming) -> None:
        """Put one in, as soon as there is room."""
        while not self.room(1.0):
            pass
        self.put_all([message])

    def put_all(self, messages: list[Incoming]) -> None:
        """Put in what arrived together, at once."""
        size = size_of(messages)
        with self._changed:
            first = not self._waiting
            self._waiting.append((messages, size, self._monotonic()))
            self._bytes += size
            self._messages += len(messages)
            if first:
                self._changed.notify_all()

    def take(self, max_bytes: int, within_s: float, idle_s: float) -> list[Incoming]:
        """The next block: full, or its first message is `within_s` old; empty after `idle_s` without any."""
        with self._changed:
            if not self._messages:
                self._changed.wait_for(lambda: bool(self._messages) or self._closed, idle_s)
            until = (self._waiting[0][2] if self._waiting else self._monotonic()) + within_s
        while self._waiting and not self._turns and self._bytes < max_bytes and not self._closed:
            left = until - self._monotonic()
            if left <= 0:
                break
            # a nap, not a wake-up by every message: the reader is not held up, and it costs half the time
            self._ended.wait(min(left, NAP_S))
        with self._changed:
            if self._turns or self._bytes > max_bytes:
                out, taken = self._share(max_bytes)
            else:
                out, taken = [m for messages, _, _ in self._waiting for m in messages], self._bytes
                self._waiting.clear()
            self._bytes -= taken
            self._messages -= len(out)
            if out:
                self._changed.notify_all()
        return out

    def _share(self, max_bytes: int) -> tuple[list[Incoming], int]:
        """About `max_bytes` of what waits, in equal shares; and how much it is."""
        fresh: dict[str, deque[Incoming]] = {}
        for messages, _, _ in self._waiting:
            for message in messages:
                device = message.topic.rpartition("/")[0]
                mine = self._turns.get(device)
                (fresh.setdefault(device, deque()) if mine is None else mine).append(message)
        self._waiting.clear()
        out: list[Incoming] = []
        # those of whom nothing waited come first, in half of the block, so that they never keep the others out; where
        # one message is more than a block, in every other one
        taken = 0
        if not self._passed_over:
            taken = self._turn(fresh, max_bytes // 2, max_bytes, out)
        self._passed_over = bool(self._turns) and taken >= max_bytes
        self._turns |= fresh
        while self._turns and taken < max_bytes:
            taken += self._turn(self._turns, max_bytes - taken, max_bytes - taken, out)
        return out, taken

    @staticmethod
    def _turn(turns: dict[str, deque[Incoming]], max_bytes: int, shared: int, out: list[Incoming]) -> int:
        """Let each have its share of `shared` until `max_bytes` are taken; at least one message each."""
        share = shared // max(1, len(turns))
        taken = 0
        for device in list(turns):
            if taken >= max_bytes:
                break
            # who had a turn is last in the next round, and in the next block
            mine, had = turns.pop(device), 0
            while mine and (not had or had < share):
                message = mine.popleft()
                had += len(message.body) + OVERHEAD
                out.append(message)
            if mine:
                turns[device] = mine
            taken += had
        return taken

    def close(self) -> None:
        """Let nobody wait any more; what waits may still be taken."""
        with self._changed:
            self._closed = True
            self._ended.set()
            self._changed.notify_all()
