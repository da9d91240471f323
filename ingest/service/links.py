"""How a device's clock and its backlog stand, from a few of its messages: at most one a second and device.

The delay from `sent_at` to receipt is the way plus the error of the device's clock. The way is never negative and
mostly short, so a low quantile of the delays tells the clock's error to within a fraction of a second.
"""

import re
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime

from plumbing.sql import to_us

REMEMBERED = 60
QUANTILE = 0.1
LATEST = 10
HEAD = 400
"""`sent_at` is looked for in the first bytes of a message only."""
MAX_DEVICES = 20_000
_SENT_AT = re.compile(rb'"sent_at"\s*:\s*"([^"]{19,40})"')


@dataclass(slots=True)
class _Link:
    delays_us: deque[int] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    ages_us: deque[int] = field(default_factory=lambda: deque(maxlen=LATEST))


class Links:
    """What is remembered of the newest messages."""

    def __init__(self) -> None:
        self._links: dict[tuple[str, str], _Link] = {}

    def note(
        self, key: tuple[str, str], received_us: int, body: bytes, newest_us: int | None
    ) -> tuple[int | None, int | None]:
        """(how far the device's clock is ahead, age of what arrives) in microseconds; None = not known."""
        link = self._links.get(key)
        if link is None:
            if len(self._links) >= MAX_DEVICES:
                self._links.clear()
            link = self._links[key] = _Link()
        sent_us = sent_at_us(body)
        if sent_us is not None:
            link.delays_us.append(received_us - sent_us)
        if newest_us is not None:
            link.ages_us.append(received_us - newest_us)
        skew = -sorted(link.delays_us)[int(QUANTILE * len(link.delays_us))] if link.delays_us else None
        age = max(0, max(link.ages_us) + (skew or 0)) if link.ages_us else None
        return skew, age


def sent_at_us(body: bytes) -> int | None:
    """`sent_at` of a message; None where it stands in none, or is no time with zone."""
    found = _SENT_AT.search(bytes(body[:HEAD]))
    if found is None:
        return None
    try:
        at = datetime.fromisoformat(found[1].decode())
        return to_us(at) if at.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
