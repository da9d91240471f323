"""When a technician on the way arrives, for whoever sees his job."""

import math
from dataclasses import dataclass

from api.owners.commands import actor_of, refusals
from api.problems import bad_field
from api.roles import Principal, Role
from plumbing.runtime import Shared
from work_orders.service import arrival


@dataclass(frozen=True, slots=True)
class OnTheWay:
    """What a job's page shows while he is on the way: how the customer reads it (empty = not at all), whether his
    phone tells it, and whether it can."""

    words: str
    shared: bool
    can_share: bool


class Arrivals:
    """Of one installation."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def on_the_way(self, who: Principal, order: str, asset: str) -> OnTheWay:
        """Of an order that the principal may see and whose visit is on the way."""
        now = self._shared.clocks.of(who.tenant).now()
        with self._shared.database.read() as connection:
            words, shared = arrival.arrival_words(connection, who.tenant, order, now)
            placed = arrival.site_of(connection, who.tenant, asset) is not None
        return OnTheWay(words, shared, placed and who.role is Role.TECHNICIAN)

    def say(self, who: Principal, order: str, minutes: int, version: int | None = None) -> str:
        """An estimate by hand."""
        with refusals():
            return arrival.say_arrival(
                self._shared, who.tenant, order, minutes, actor_of(self._shared, who), version=version
            )

    def share(self, who: Principal, order: str, latitude: str, longitude: str) -> str:
        """Where the technician's phone is."""
        try:
            at = float(latitude), float(longitude)
        except ValueError:
            at = math.nan, math.nan
        if not all(map(math.isfinite, at)):
            raise bad_field("position", "", "must be degrees of latitude and longitude")  # what was sent is not told
        with refusals():
            return arrival.share_position(self._shared, who.tenant, order, at, actor_of(self._shared, who))

    def stop(self, who: Principal, order: str) -> bool:
        """Nothing is told any more."""
        with refusals():
            return arrival.stop_arrival(self._shared, who.tenant, order, actor_of(self._shared, who))
