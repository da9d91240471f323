"""Settings of the service."""

from collections.abc import Mapping
from dataclasses import dataclass


class BadSettings(Exception):
    """Settings that cannot be used; `faults` names all of them."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Settings:
    """How often the service looks and saves, in wall seconds, and how many blocks it takes at once."""

    poll_seconds: float = 0.1
    save_seconds: float = 1.0
    batch: int = 10

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Settings":
        """From the environment. Raises BadSettings."""
        faults: list[str] = []
        given: dict[str, float] = {}
        for variable, name, default, low, high in (
            ("FOREWARN_ANOMALY_POLL_SECONDS", "poll_seconds", 0.1, 0.01, 5.0),
            ("FOREWARN_ANOMALY_SAVE_SECONDS", "save_seconds", 1.0, 0.0, 60.0),
            ("FOREWARN_ANOMALY_BATCH", "batch", 10.0, 1.0, 1000.0),
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
        return cls(given["poll_seconds"], given["save_seconds"], int(given["batch"]))
