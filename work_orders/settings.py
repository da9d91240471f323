"""Settings of the service; how a tenant serves its customers is `domain.policy.Policy`, kept with the tenant."""

from collections.abc import Mapping
from dataclasses import dataclass


class BadSettings(Exception):
    """Settings that cannot be used; `faults` names all of them."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Settings:
    """How often the service looks, in wall seconds, and how much it takes at once."""

    poll_seconds: float = 0.05
    tick_seconds: float = 0.2
    batch: int = 50

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Settings":
        """From the environment. Raises BadSettings."""
        faults: list[str] = []
        given: dict[str, float] = {}
        defaults = cls()
        for variable, name, default, low, high in (
            ("FOREWARN_WORK_ORDERS_POLL_SECONDS", "poll_seconds", defaults.poll_seconds, 0.01, 5.0),
            ("FOREWARN_WORK_ORDERS_TICK_SECONDS", "tick_seconds", defaults.tick_seconds, 0.05, 60.0),
            ("FOREWARN_WORK_ORDERS_BATCH", "batch", defaults.batch, 1, 1000),
        ):
            text = environ.get(variable, str(default))
            try:
                given[name] = float(text)
            except ValueError:
                faults.append(f"{variable}: {text!r} is no number")
                continue
            if not low <= given[name] <= high:
                faults.append(f"{variable}: {text} must lie between {low:g} and {high:g}")
        if faults:
            raise BadSettings(faults)
        return cls(given["poll_seconds"], given["tick_seconds"], int(given["batch"]))
