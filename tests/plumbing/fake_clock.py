"""A machine's clock that a test moves."""

from datetime import UTC, datetime, timedelta

from plumbing.system_clock import SystemClock


class FakeClock(SystemClock):
    """Stands still until `pass_`."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 22, 10, tzinfo=UTC)
        self.seconds = 100.0

    def now(self) -> datetime:
        """Aware UTC."""
        return self.at

    def monotonic(self) -> float:
        """Seconds."""
        return self.seconds

    def pass_(self, seconds: float) -> None:
        """Let time go by."""
        self.at += timedelta(seconds=seconds)
        self.seconds += seconds
