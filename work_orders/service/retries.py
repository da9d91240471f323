"""How long a claim on something to be handed over holds, and when it is tried again."""

from datetime import timedelta

CLAIM = timedelta(minutes=5)
"""Longer than a channel takes whose every step takes all the time that it may: SMTP has 13 of 20 seconds."""
RETRY_MINUTES = (1, 2, 5, 15, 30, 60)
GIVE_UP = timedelta(hours=24)


def until_next(attempts: int) -> timedelta:
    """Until the next try, after so many."""
    return timedelta(minutes=RETRY_MINUTES[min(attempts, len(RETRY_MINUTES)) - 1])
