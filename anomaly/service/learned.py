"""The live learned model beside the degradation path: the forecast of an alarm takes the life that is trusted more."""

from dataclasses import replace
from typing import Protocol

from anomaly.domain.forecast import Forecast
from anomaly.domain.health import spared
from anomaly.domain.prognosis import LEARNED, NO_TREND, PATH, Prognosis, chosen
from contracts.asset_model import AssetModel


class LiveModels(Protocol):
    """The learned models that are live."""

    def prognose(self, tenant: str, model: AssetModel, device: str, at_us: int) -> tuple[str, Prognosis] | None:
        """What the live one of an asset model says of a machine by its readings before a time, with its name.

        None = none is live, or its files are refused.
        """
        ...


def by_what_is_on_record(
    live: LiveModels | None, tenant: str, model: AssetModel, device: str, made: Forecast
) -> tuple[Forecast, str]:
    """The forecast with the life to go by, and the name of the learned model that told it; empty = the path did."""
    found = live.prognose(tenant, model, device, made.measured_us) if live is not None else None
    if found is None:
        return made, ""
    name, said = found
    path = Prognosis(PATH, made.life, "" if made.life is not None else NO_TREND)
    best = chosen([path, said])
    if best.way != LEARNED or best.life is None:
        return made, ""
    health = spared(made.health, best.life.by(model.decision.horizon_hours))
    return replace(made, life=best.life, health=health), name
