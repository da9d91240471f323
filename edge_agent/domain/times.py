"""No two samples of one device carry the same time: the store would overwrite the one with the other."""

from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

RECENT = 1000
"""Number of earlier times that a new one must differ from (contract.md)."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)


class Separator:
    """Moves a time on by whole microseconds until it differs from each of the last `RECENT`.

    A time that cannot be read is left as it is: the platform refuses it and names it.
    """

    def __init__(self, recent: Iterable[int] = (), total: int = 0) -> None:
        self._order: deque[int] = deque()
        self._set: set[int] = set()
        for us in recent:
            self._remember(us)
        self.total = total
        """How many times were given out since the beginning."""

    @property
    def recent(self) -> list[int]:
        """Epoch microseconds of the last times, oldest first."""
        return list(self._order)

    def apart(self, t: str | int) -> str | int:
        """`t` as it was given where it is a time of its own already, else a later one as RFC 3339 text."""
        us = given = epoch_us(t)
        if us is None or given is None:
            return t
        while us in self._set:
            us += 1
        self._remember(us)
        self.total += 1
        if us == given:
            return t
        try:
            return (_EPOCH + us * _US).isoformat().replace("+00:00", "Z")
        except OverflowError:  # past the year 9999, which the platform refuses anyway
            return t

    def _remember(self, us: int) -> None:
        if us in self._set:
            return
        self._order.append(us)
        self._set.add(us)
        if len(self._order) > RECENT:
            self._set.discard(self._order.popleft())


def epoch_us(t: str | int) -> int | None:
    """Epoch microseconds of RFC 3339 text with zone (finer digits cut) or of epoch milliseconds; None = no time."""
    if isinstance(t, bool):
        return None
    if isinstance(t, int):
        return t * 1000
    try:
        at = datetime.fromisoformat(t)
    except ValueError:
        return None
    if at.tzinfo is None:
        return None
    try:
        return (at - _EPOCH) // _US
    except OverflowError:
        return None
