"""How long a client of a broker waits before it connects again."""

from collections import deque
from collections.abc import Callable

RETRY_S = (1.0, 2.0, 3.0)
THROWN_OUT = 3
THROWN_OUT_WITHIN_S = 30.0
THROWN_OUT_WAIT_S = (15.0, 60.0)
"""At first, and while it goes on: a bad line ends connections in the same way, and may be well again soon."""
AGAIN_WITHIN_S = 300.0


class Patience:
    """Waits longer after each failure, and longest when another program with the same account throws us out.

    Two programs of one account would throw each other out for ever, each at once.
    """

    def __init__(self, account: str, monotonic: Callable[[], float]) -> None:
        self._account, self._now = account, monotonic
        self._thrown_out: deque[float] = deque(maxlen=THROWN_OUT)
        self._failures = 0
        self._offences = 0
        self._offended_at = 0.0

    def thrown_out(self) -> None:
        """The broker ended a connection that it had taken."""
        self._thrown_out.append(self._now())

    def nobody_listens(self) -> None:
        """The connection before ended with the broker: nobody threw us out."""
        self._thrown_out.clear()

    def wait(self, taken: bool) -> tuple[float, str]:
        """Seconds until the next attempt, and what must be said; `taken`: the last one was taken by the broker."""
        self._failures = 0 if taken else self._failures + 1
        times = self._thrown_out
        if len(times) < THROWN_OUT or self._now() - times[0] >= THROWN_OUT_WITHIN_S:
            return RETRY_S[min(self._failures, len(RETRY_S) - 1)], ""
        times.clear()
        now = self._now()
        self._offences = self._offences + 1 if self._offences and now - self._offended_at < AGAIN_WITHIN_S else 1
        self._offended_at = now
        wait = THROWN_OUT_WAIT_S[min(self._offences, len(THROWN_OUT_WAIT_S)) - 1]
        return wait, (
            f"the broker ended the connection {THROWN_OUT} times in {THROWN_OUT_WITHIN_S:.0f} s: another program runs"
            f" with the account {self._account!r}, or the line is bad; the next attempt is in {wait:.0f} s"
        )
