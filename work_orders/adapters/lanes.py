"""A few threads for what waits for other people's servers: a lane does one thing at a time, and one host has few of the
threads, so that a slow one holds up itself alone."""

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor

WORKERS, PER_HOST = 8, 2
Lane = Hashable


class Lanes:
    """Threads are made when they are first needed."""

    def __init__(self, name: str, workers: int = WORKERS, per_host: int = PER_HOST) -> None:
        self._pool = ThreadPoolExecutor(workers, name)
        self._workers, self._per_host = workers, per_host
        self._lock = threading.Lock()
        self._hosts: dict[Lane, str] = {}
        self._turns = 0
        self._turn_of: dict[Lane, int] = {}

    def last(self, lane: Lane) -> int:
        """Which turn was the lane's last; 0 = it had none. Whose turn was longest ago comes first."""
        return self._turn_of.get(lane, 0)

    def offer(self, lane: Lane, host: str, do: Callable[[], int]) -> Future[int] | None:
        """Do it in a thread; None = the lane is busy, its host has its share, or no thread is free."""
        with self._lock:
            hosts = list(self._hosts.values())
            if lane in self._hosts or len(hosts) >= self._workers or hosts.count(host) >= self._per_host:
                return None
            self._hosts[lane] = host
            self._turns += 1
            self._turn_of[lane] = self._turns
        return self._pool.submit(self._do, lane, do)

    def _do(self, lane: Lane, do: Callable[[], int]) -> int:
        try:
            return do()
        finally:
            with self._lock:
                del self._hosts[lane]

    def close(self) -> None:
        """End when all that was begun is done."""
        self._pool.shutdown()
