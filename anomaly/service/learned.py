"""The live learned model beside the degradation path: the forecast of an alarm takes the life that is trusted more."""

from dataclasses import replace
from typing import Protocol

from anomaly.domain.forecast import Forecast
from anomaly.domain.health import spared
from anomaly.domain.prognosis import EVENTS, NO_TREND, PATH, Prognosis, chosen
from contracts.asset_model import AssetModel


class LiveModels(Protocol):
    """The learned models that are live."""

    def prognose(self, tenant: str, model: AssetModel, device: str, at_us: int) -> tuple[str, Prognosis] | None:
        """What the live one of an asset model says of a machine by its readings before a time, with its name.

        None = none is live, or its files are refused.
        """
        ...

    def events(
        self, tenant: str, model: AssetModel, device: str, component: str, at_us: int
    ) -> tuple[str, Prognosis] | None:
        """What the live hazard of an asset model says of a component by errors, work and age; None as above."""
        ...


def by_what_is_on_record(
    live: LiveModels | None, tenant: str, model: AssetModel, device: str, made: Forecast
) -> tuple[Forecast, str]:
    """The forecast with the life to go by, and the name of the learned model that told it; empty = the path did.

    A hazard looks at no readings: beside readings that show wear it is believed only where it sees the failure nearer.
    """
    if live is None:
        return made, ""
    horizon = model.decision.horizon_hours
    said = {PATH: Prognosis(PATH, made.life, "" if made.life is not None else NO_TREND)}
    names = {PATH: ""}
    learned = live.prognose(tenant, model, device, made.measured_us)
    events = live.events(tenant, model, device, made.component, made.measured_us)
    for found in (learned, events):
        if found is not None:
            names[found[1].way], said[found[1].way] = found
    hazard = said.get(EVENTS)
    if hazard is not None and made.life is not None and not _nearer(hazard, made.life.by(horizon), horizon):
        del said[EVENTS]
    best = chosen(list(said.values()))
    if best.way == PATH or best.life is None:
        return made, ""
    return replace(made, life=best.life, health=spared(made.health, best.life.by(horizon))), names[best.way]


def _nearer(hazard: Prognosis, chance: float, horizon: float) -> bool:
    return hazard.life is not None and hazard.life.by(horizon) >= chance
