"""No telemetry store: for commands that work on the SQL database alone, while a running product may hold the store."""

from contracts.points import Band, DeviceRows, Readings, Refused, StoreUnreachable

WORDS = "this command has no telemetry store"


class NoStore:
    """A contracts.points.TelemetryStore that has and takes nothing."""

    def write(self, rows: list[DeviceRows]) -> list[Refused]:
        """Raises StoreUnreachable."""
        raise StoreUnreachable(WORDS)

    def read(
        self, tenant: str, device: str, *, signals: list[str] | None = None, from_us: int | None = None,
        to_us: int | None = None, limit: int | None = None, newest_first: bool = False,
    ) -> Readings:  # fmt: skip
        """Raises StoreUnreachable."""
        raise StoreUnreachable(WORDS)

    def band(self, tenant: str, device: str, signal: str, from_us: int, to_us: int, buckets: int) -> Band:
        """Raises StoreUnreachable."""
        raise StoreUnreachable(WORDS)

    def ready(self) -> bool:
        """Never."""
        return False

    def close(self) -> None:
        """Nothing is open."""
