"""Alarms of one site that rise within a minute of each other belong together: most likely they share a cause.

A power dip or a lost cooling loop puts hundreds of machines in alarm at once. They are one group, whoever rose first
stands first in it, and it is for people (and for work_orders) to treat it as one.
"""

from collections.abc import Iterable
from dataclasses import dataclass

WITHIN_US = 60_000_000
LONGEST_US = 3_600_000_000
"""Alarms that follow one another all day long are no group."""


@dataclass(frozen=True, slots=True)
class Rise:
    """An alarm was raised at a site; epoch microseconds of the readings that raised it."""

    alarm: str
    device: str
    site: str
    at_us: int


@dataclass(slots=True)
class Group:
    """Alarms that belong together. `cause` is the device of the first one."""

    id: str
    site: str
    first_us: int
    last_us: int
    cause: str
    alarms: int = 0
    changed: bool = False

    def near(self, at_us: int) -> bool:
        """Whether an alarm of that time belongs to it."""
        first, last = min(self.first_us, at_us), max(self.last_us, at_us)
        return self.first_us - WITHIN_US <= at_us <= self.last_us + WITHIN_US and last - first <= LONGEST_US

    def take(self, rise: Rise) -> None:
        """Take an alarm in."""
        if (rise.at_us, rise.device) < (self.first_us, self.cause):
            self.cause = rise.device
        self.first_us, self.last_us = min(self.first_us, rise.at_us), max(self.last_us, rise.at_us)
        self.alarms += 1
        self.changed = True


class Grouping:
    """Groups of one tenant; `recent` are those that a rise could still belong to."""

    def __init__(self, recent: Iterable[Group] = ()) -> None:
        self._of_site: dict[str, list[Group]] = {}
        for group in recent:
            self._of_site.setdefault(group.site, []).append(group)

    def place(self, rise: Rise) -> Group:
        """The group of an alarm: the nearest one in time, or a new one with its name."""
        groups = self._of_site.setdefault(rise.site, [])
        near = [group for group in groups if group.near(rise.at_us)]
        if near:
            found = min(near, key=lambda group: (abs(group.first_us - rise.at_us), group.id))
        else:
            found = Group(f"{rise.site}/{rise.alarm}", rise.site, rise.at_us, rise.at_us, rise.device)
            groups.append(found)
        found.take(rise)
        return found

    @property
    def changed(self) -> list[Group]:
        """Groups that have taken something in."""
        return [group for groups in self._of_site.values() for group in groups if group.changed]
