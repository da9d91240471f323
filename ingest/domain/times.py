"""Times of samples as epoch microseconds."""

import re
from datetime import UTC, datetime, timedelta

import msgspec

from contracts.wire import Reason

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)
DAY_US = 86_400_000_000
OLDEST_US = (datetime(1678, 1, 1, tzinfo=UTC) - EPOCH) // _US
"""Stores keep nanoseconds in 64 bits: 1677 to 2262."""
NEWEST_US = (datetime(2262, 1, 1, tzinfo=UTC) - EPOCH) // _US - 1
_FINER = re.compile(r"(\.\d{6})\d+")


def epoch_us(at: datetime) -> int:
    """Epoch microseconds of an aware time."""
    d = at - EPOCH
    return d.days * DAY_US + d.seconds * 1_000_000 + d.microseconds


def sample_us(t: object, received_us: int, limit_us: int) -> int | Reason:
    """The time of a sample, or why it is refused.

    Parameters
    ----------
    t
        RFC 3339 text with a zone, aware datetime, integer epoch milliseconds, or None: `received_us`.
    limit_us
        The latest time that is not `future`.
    """
    if t is None:
        return received_us
    if isinstance(t, str):
        try:
            t = msgspec.convert(_FINER.sub(r"\1", t, count=1), datetime)
        except (msgspec.MsgspecError, ValueError):
            return "malformed"
    if isinstance(t, datetime):
        if t.tzinfo is None:
            return "malformed"
        us = epoch_us(t)
    elif isinstance(t, int) and not isinstance(t, bool):
        us = t * 1000
    else:
        return "malformed"
    if not OLDEST_US <= us <= NEWEST_US:
        return "out_of_range"
    return us if us <= limit_us else "future"
