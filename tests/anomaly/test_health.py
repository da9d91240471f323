"""Health of many machines side by side is that of each alone, with gaps, signals that cannot be read, and limits."""

from dataclasses import replace

import numpy as np
import pytest

from anomaly.domain.health import Seen, worst_shares
from anomaly.domain.layout import layout_of
from contracts.asset_model import AssetModel
from tests.anomaly.machines import MODEL

STEPS, MACHINES = 6, 9


def without_limits() -> AssetModel:
    """The same failure modes, told from an index of all signals that they move."""
    components = {
        name: replace(c, modes=tuple(replace(mode, limit=None) for mode in c.modes))
        for name, c in MODEL.components.items()
    }
    return replace(MODEL, components=components)


@pytest.mark.parametrize("fleet", [False, True])
@pytest.mark.parametrize("model", [MODEL, without_limits()], ids=["limits", "index"])
def test_many_machines_are_as_each_alone(model: AssetModel, fleet: bool) -> None:
    model = replace(model, detection=replace(model.detection, fleet=fleet))
    layout, chance = layout_of(model), np.random.default_rng(3)
    k = len(layout.symptoms)
    z = chance.normal(2.0, 3.0, (STEPS, MACHINES, k))
    means = chance.normal(1.0, 2.0, (MACHINES, k))
    z[chance.random(z.shape) < 0.3] = np.nan
    means[0], means[1, 0] = np.nan, np.nan
    expected = chance.uniform(2.0, 5.0, (MACHINES, k))
    expected[2] = np.nan
    usable = chance.random((MACHINES, k)) < 0.8
    scale = chance.uniform(0.1, 2.0, (MACHINES, k))
    together = worst_shares(model, layout, Seen(z, means, expected, usable, scale))
    alone = [
        worst_shares(
            model, layout,
            Seen(z[:, [i]], means[[i]], expected[[i]], usable[[i]], scale[[i]]),
        )[0]
        for i in range(MACHINES)
    ]  # fmt: skip
    assert together.tolist() == alone
    assert together[0] == 0.0
    assert (together > 0).sum() >= MACHINES // 3
