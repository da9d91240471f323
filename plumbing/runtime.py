"""What the services of one process share, and what a running service looks like from outside."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from contracts.asset_model import AssetModel
from contracts.points import TelemetryStore
from plumbing.sql import Database
from plumbing.system_clock import SystemClock
from plumbing.tenants import TenantClocks


@dataclass(frozen=True)
class Shared:
    """One each a process. `models` gives the asset model of a name (None = unknown), see `plumbing.model_files`."""

    home: Path
    database: Database
    system: SystemClock
    clocks: TenantClocks
    store: TelemetryStore
    models: Callable[[str], AssetModel | None]


class Service(Protocol):
    """A running part of the product."""

    name: str

    def start(self) -> None:
        """Begin work in threads of its own; returns at once."""
        ...

    def stop(self) -> None:
        """End cleanly; returns when all that was taken is done."""
        ...

    def healthy(self) -> str:
        """Empty when well, else what is wrong, in words."""
        ...
