"""Waits for what other threads bring about."""

import threading
from collections.abc import Callable

from plumbing.system_clock import SystemClock


def until(holds: Callable[[], object], within_s: float = 10.0) -> None:
    """Return when `holds()` is true; fails after `within_s`."""
    clock = SystemClock()
    end = clock.monotonic() + within_s
    while not holds():
        assert clock.monotonic() < end, f"not within {within_s} s"
        threading.Event().wait(0.01)
