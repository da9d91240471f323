"""A made-up fleet whose failures are announced by an error, for tests of hazards and of `evaluate azure`."""

from pathlib import Path

import numpy as np

from anomaly.domain.hazard import Fleet
from anomaly.domain.history import HOUR_US, Events, History

FLEET = Fleet(("pump", "seal"), ("E1", "E2", "E3"), ())
DAYS = 200
BEGIN_US = 1_577_836_800_000_000


def history(asset: int, seed: int = 0) -> History:
    """E1 comes 24 hours before each failure of the pump, E2 before the seal's; E3 says nothing."""
    chance = np.random.default_rng([seed, asset])
    errors: list[tuple[int, int]] = []
    replaced: list[tuple[int, int]] = []
    failed: list[tuple[int, int]] = []
    for component in (0, 1):
        hour = -int(chance.integers(24, 24 * 20))
        replaced.append((hour, component))
        while True:
            life = 24 * float(chance.weibull(4.0)) * (40 if component == 0 else 55)
            planned = 24 * 45.0
            hour += round(min(life, planned)) + 48
            if hour >= DAYS * 24:
                break
            replaced.append((hour, component))
            if life < planned and hour > 30:
                failed.append((hour, component))
                errors.append((hour - 24, component))
    errors += [(int(h), 2) for h in chance.integers(0, DAYS * 24, 8)]

    def events(rows: list[tuple[int, int]]) -> Events:
        both = np.array(sorted(set(rows)), dtype=np.int64).reshape(-1, 2)
        return Events(BEGIN_US + both[:, 0] * HOUR_US, both[:, 1])

    end = BEGIN_US + DAYS * 24 * HOUR_US
    return History(str(asset), BEGIN_US, end, events(errors), events(replaced), events(failed), 3.0)


def fleet(n: int) -> list[History]:
    """Several machines."""
    return [history(i) for i in range(n)]


def write_azure(folder: Path, machines: list[History]) -> None:
    """The fleet as files of the Azure set, without telemetry."""
    folder.mkdir(parents=True, exist_ok=True)
    kinds = (
        ("errors", "errorID", FLEET.codes, "errors"),
        ("maint", "comp", FLEET.components, "replaced"),
        ("failures", "failure", FLEET.components, "failed"),
    )
    for name, column, names, field in kinds:
        lines = [f"datetime,machineID,{column}"]
        for h in machines:
            events: Events = getattr(h, field)
            for at, which in zip(events.at_us.tolist(), events.which.tolist(), strict=True):
                stamp = str(np.datetime64(at, "us").astype("datetime64[s]")).replace("T", " ")
                lines.append(f"{stamp},{h.asset},{names[which]}")
        (folder / f"PdM_{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    rows = "\n".join(f"{h.asset},model1,{h.age_years:g}" for h in machines)
    (folder / "PdM_machines.csv").write_text(f"machineID,model,age\n{rows}\n", encoding="utf-8")
