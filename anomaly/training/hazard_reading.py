"""What a learned hazard says of machines by what is stored of them: each reading of an error is looked at once."""

import logging
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import sqlalchemy as sa

from anomaly.domain.error_events import since
from anomaly.domain.event_alarm import knows
from anomaly.domain.hazard import EventHazard, EventsWay, Recorded, curve
from anomaly.domain.history import HOUR_US, History, Times
from anomaly.domain.layout import Array
from anomaly.domain.prognosis import EVENTS, NOT_ON_RECORD, Prognosis, needs
from anomaly.service.hazard_tables import hazard_said
from anomaly.training.files import BadModel
from anomaly.training.histories import Errors, worked_on
from anomaly.training.registry import Learned, hazard_of
from contracts.asset_model import AssetModel
from plumbing.runtime import Shared
from plumbing.sql import to_us

LEAST_WATCHED_HOURS = 24.0
"""A machine that was heard for a shorter time may have had errors that nobody knows of."""
ERRORS_HOURS = 721.0
"""Errors before this are not looked at any more."""
KEPT_HOURS = 3 * ERRORS_HOURS
"""Errors are kept for so long, for those who ask once more for a time that was."""
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SaidOf:
    """What a hazard says of one machine."""

    hazard: EventHazard
    history: History
    at_us: Times
    p: Array
    """P(failure) by the end of each span: (components, spans, n)."""


class HazardReader:
    """Follows machines through the store. Not for several threads."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._errors: dict[tuple[str, str, str], Errors] = {}
        self._hazards: dict[tuple[str, str], EventHazard | None] = {}

    def say(self, tenant: str, of: Learned, model: AssetModel, device: str, at_us: Times) -> SaidOf | None:
        """What it says at times that rise, of which those too soon after the machine's first reading are left out.

        None = its files are refused, or nothing is stored of the machine. Raises StoreUnreachable.
        """
        hazard = self.hazard(tenant, of)
        history = None if hazard is None else self._history(tenant, of, hazard, model, device, at_us)
        if hazard is None or history is None:
            return None
        at = at_us[at_us >= history.begin_us + round(LEAST_WATCHED_HOURS * HOUR_US)]
        if not len(at):
            return SaidOf(hazard, history, at, np.zeros((len(hazard.fleet.components), 3, 0)))
        recent = replace(history, errors=since(history.errors, int(at[0]) - round(ERRORS_HOURS * HOUR_US)))
        return SaidOf(hazard, recent, at, curve(hazard, recent, at))

    def prognose(
        self, tenant: str, of: Learned, model: AssetModel, device: str, component: str, at_us: int
    ) -> Prognosis | None:
        """The life of one component; None = its files are refused. Raises StoreUnreachable."""
        hazard = self.hazard(tenant, of)
        if hazard is None:
            return None
        at = np.array([at_us], dtype=np.int64)
        history = self._history(tenant, of, hazard, model, device, at) if knows(hazard, component) else None
        if history is None:
            return Prognosis(EVENTS, None, NOT_ON_RECORD)
        watched = (at_us - history.begin_us) / HOUR_US
        if watched < LEAST_WATCHED_HOURS:
            return needs(EVENTS, LEAST_WATCHED_HOURS - watched)
        recent = replace(history, errors=since(history.errors, at_us - round(ERRORS_HOURS * HOUR_US)))
        return EventsWay(hazard, model.decision.horizon_hours).prognose(Recorded(recent, component, at_us))

    def hazard(self, tenant: str, of: Learned) -> EventHazard | None:
        """The hazard itself; None = its files are refused."""
        key = (tenant, of.id)
        if key not in self._hazards:
            try:
                self._hazards[key] = hazard_of(self._shared.home, tenant, of)
            except BadModel as bad:
                logger.error("learned model %s of %s is refused: %s", of.id, tenant, bad)
                self._hazards[key] = None
        return self._hazards[key]

    def _history(
        self, tenant: str, of: Learned, hazard: EventHazard, model: AssetModel, device: str, at_us: Times
    ) -> History | None:
        first_us, last_us = int(at_us[0]), int(at_us[-1])
        key, store, fleet = (tenant, of.id, device), self._shared.store, hazard.fleet
        errors = self._errors.get(key)
        if errors is None:
            errors = Errors.begin(store, tenant, device, model, fleet)
            if errors is None:
                return None
            self._errors[key] = errors
        errors.read_on(store, tenant, device, model, fleet, last_us + 1)
        errors.events = since(errors.events, first_us - round(KEPT_HOURS * HOUR_US))
        return errors.history(device, worked_on(self._shared.database, tenant, device), fleet, last_us)


def last_said(shared: Shared, tenant: str, id: str, device: str) -> int | None:
    """The newest time at which a hazard spoke of a machine."""
    c = hazard_said.c
    with shared.database.read() as connection:
        at: datetime | None = connection.execute(
            sa.select(sa.func.max(c.at)).where(c.tenant == tenant, c.learned == id, c.device == device)
        ).scalar()
    return None if at is None else to_us(at)
