"""Settings of the service."""

from collections.abc import Mapping
from dataclasses import dataclass

from plumbing.settings import Reader


@dataclass(frozen=True, slots=True)
class Settings:
    """How often the service looks and saves, in wall seconds, and how many blocks it takes at once."""

    poll_seconds: float = 0.1
    save_seconds: float = 1.0
    batch: int = 10
    train_days: float = 7.0
    """Days of the tenant's clock between two trainings of an asset model by themselves; 0 = only when asked for."""
    keep_days: float = 400.0
    """Days of the tenant's clock for which points of charts, late rows, ended alarms and the like are kept."""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Settings":
        """From the environment. Raises BadSettings."""
        read, default = Reader(environ), cls()
        made = cls(
            read.number("FOREWARN_ANOMALY_POLL_SECONDS", default.poll_seconds, 0.01, 5),
            read.number("FOREWARN_ANOMALY_SAVE_SECONDS", default.save_seconds, 0, 60),
            read.whole("FOREWARN_ANOMALY_BATCH", default.batch, 1, 1000),
            read.number("FOREWARN_ANOMALY_TRAIN_DAYS", default.train_days, 0, 3650),
            read.number("FOREWARN_ANOMALY_KEEP_DAYS", default.keep_days, 30, 36_500),
        )
        read.end()
        return made
