"""Epoch microseconds and aware times."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def at(us: int) -> datetime:
    """The aware UTC time of epoch microseconds."""
    return EPOCH + timedelta(microseconds=us)


def us(when: datetime) -> int:
    """Epoch microseconds of an aware time."""
    return (when - EPOCH) // timedelta(microseconds=1)
