"""At which rate something may go out."""


class Pace:
    """So many a second on average, at most one second's worth at once.

    Parameters
    ----------
    rate
        A second; 0 = without a limit.
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._allowed = 0.0
        self._at: float | None = None

    def allowed(self, now: float) -> int | None:
        """How many may go out at the monotonic second `now`; None = any number."""
        if not self.rate:
            return None
        if self._at is not None:
            most = max(1.0, self.rate)
            self._allowed = min(most, self._allowed + max(0.0, now - self._at) * self.rate)
        self._at = now
        return int(self._allowed)

    def took(self, n: int) -> None:
        """So many went out."""
        if self.rate:
            self._allowed -= n

    def ready_in(self, n: int) -> float:
        """Seconds until n may go out, as of the last `allowed`."""
        return max(0.0, n - self._allowed) / self.rate if self.rate else 0.0
