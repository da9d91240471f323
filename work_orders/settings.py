"""Settings of the service; how a tenant serves its customers is `domain.policy.Policy`, kept with the tenant."""

from collections.abc import Mapping
from dataclasses import dataclass

from plumbing.settings import Reader


@dataclass(frozen=True, slots=True)
class Settings:
    """How often the service looks, in wall seconds, and how much it takes at once."""

    poll_seconds: float = 0.05
    tick_seconds: float = 0.2
    batch: int = 50
    audit_key: str = ""
    """Base64 of the key that signs; empty = that of the home folder."""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Settings":
        """From the environment. Raises BadSettings."""
        read, default = Reader(environ), cls()
        made = cls(
            read.number("FOREWARN_WORK_ORDERS_POLL_SECONDS", default.poll_seconds, 0.01, 5),
            read.number("FOREWARN_WORK_ORDERS_TICK_SECONDS", default.tick_seconds, 0.05, 60),
            read.whole("FOREWARN_WORK_ORDERS_BATCH", default.batch, 1, 1000),
            read.text("FOREWARN_AUDIT_KEY"),
        )
        read.end()
        return made
