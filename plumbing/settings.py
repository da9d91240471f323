"""Settings of services are read from the environment; every fault is reported at once."""

import ipaddress
from collections.abc import Mapping

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class BadSettings(ValueError):
    """Settings that cannot be used; `faults` names all of them."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class Reader:
    """Reads settings and collects what is wrong with them. An empty variable is one that is not set."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.faults: list[str] = []

    def text(self, name: str, default: str = "") -> str:
        """As it is set."""
        return self._environ.get(name) or default

    def number(self, name: str, default: float, low: float, high: float) -> float:
        """A number from `low` to `high`; the default where it is not set or a fault."""
        text = self.text(name)
        try:
            value = float(text) if text else default
        except ValueError:
            value = high + 1
        if low <= value <= high:
            return value
        self.fault(name, f"{text!r} must be a number from {low:g} to {high:g}")
        return default

    def whole(self, name: str, default: int, low: float, high: float) -> int:
        """A whole number from `low` to `high`."""
        value = self.number(name, default, low, high)
        if value == int(value):
            return int(value)
        self.fault(name, f"{self.text(name)!r} must be a whole number")
        return default

    def networks(self, name: str) -> tuple[Network, ...]:
        """Networks or single addresses, apart by commas or spaces."""
        made = []
        for given in self.text(name).replace(",", " ").split():
            try:
                made.append(ipaddress.ip_network(given))
            except ValueError:
                self.fault(name, f"{given!r} must be a network such as 10.0.0.0/8")
        return tuple(made)

    def fault(self, name: str, what: str) -> None:
        """Say what is wrong with a setting."""
        self.faults.append(f"{name}: {what}")

    def end(self) -> None:
        """Raises BadSettings if anything was wrong."""
        if self.faults:
            raise BadSettings(self.faults)
