"""Seconds since this computer started: a clock that nobody sets and that goes on while the computer sleeps.

`boot` names the start, so that two processes, one after the other, know whether their seconds are of one clock.
"""

import secrets
import time
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class BootClock:
    """Where the system has no such clock, `boot` is of this process alone, and the clock may stand during sleep."""

    def __init__(self) -> None:
        self._clock = getattr(time, "CLOCK_BOOTTIME", None)
        self.boot = f"process-{secrets.token_hex(8)}"
        if self._clock is not None:
            try:
                self.boot = _BOOT_ID.read_text("ascii").strip()
            except (OSError, UnicodeDecodeError):
                self._clock = None

    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() if self._clock is None else time.clock_gettime(self._clock)
