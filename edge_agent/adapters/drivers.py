"""The family of drivers: entry points of the group `forewarn.drivers`, so that others join without a change here."""

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import ClassVar, Protocol

from edge_agent.domain.driving import Fault, Option, Options, Plan, read_options
from edge_agent.service import Driver

GROUP = "forewarn.drivers"


class DriverClass(Protocol):
    """What a driver's class offers before there is a driver."""

    OPTIONS: ClassVar[tuple[Option, ...]]

    def __call__(self, options: Options) -> Driver:
        """Make a driver of checked options; opens nothing yet."""
        ...

    def check(self, options: Options, path: str) -> list[Fault]:
        """What is wrong with options that are complete, of the right type and known; touches no network."""
        ...

    def plan(self, options: Options) -> Plan:
        """What a driver of faultless options would read; touches no network."""
        ...


def names() -> list[str]:
    """Names of all drivers that are installed."""
    return sorted(entry_points(group=GROUP).names)


def load(kind: str) -> DriverClass:
    """The class of a driver. Raises KeyError for one that is not installed."""
    found = entry_points(group=GROUP, name=kind)
    if not found:
        raise KeyError(kind)
    made: DriverClass = next(iter(found)).load()
    return made


def can_wait(kind: str) -> bool:
    """Whether what a driver reads stays where it is until it is read: nothing of it is newer than the rest."""
    return bool(getattr(load(kind), "CAN_WAIT", False))


def check(kind: str, given: Mapping[str, object], folder: str, path: str) -> tuple[Options, list[Fault]]:
    """The driver's options, and everything that is wrong with them."""
    if kind not in names():
        return Options(folder), [Fault(f"{path}.kind", kind, f"is no driver; there are {', '.join(names())}")]
    driver = load(kind)
    options, faults = read_options(driver.OPTIONS, given, folder, path)
    return options, faults or driver.check(options, path)
