"""What people tell anomaly: a baseline is healthy, a sensor was looked at."""

from anomaly.adapters.sql_condition import confirm
from anomaly.service.port import Confirmed
from contracts.records import FINDINGS, SensorChecked, encode
from plumbing import audit, log
from plumbing.runtime import Shared


def confirm_baseline(shared: Shared, tenant: str, device: str, by: str) -> bool:
    """A person says that the machine was healthy while its baseline was learned; False = nothing to confirm."""
    now = shared.clocks.of(tenant).now()
    with shared.database.write() as connection:
        done = confirm(connection, Confirmed(tenant, device, None, now, by, "a person confirmed it"))
        if done:
            text = f"{device}: what is usual for it was confirmed as healthy."
            audit.append(
                connection, tenant, now, by, "baseline_confirmed", {"asset": device, "id": device, "text": text}
            )
    return done


def check_sensor(shared: Shared, tenant: str, device: str, signal: str, by: str) -> None:
    """A person looked at a sensor: what it shows is right from now on."""
    now = shared.clocks.of(tenant).now()
    with shared.database.write() as connection:
        record = SensorChecked(1, tenant, device, signal, now, by)
        log.append(connection, tenant, FINDINGS, device, encode(record), shared.system.now())
        text = f"{device}: the sensor of {signal.replace('_', ' ') or 'the device'} was checked."
        audit.append(connection, tenant, now, by, "sensor_checked", {"asset": device, "id": device, "text": text})
