"""What foreign devices told of themselves (ThingsBoard's client attributes): kept until they say otherwise."""

from collections.abc import Mapping

import msgspec
import sqlalchemy as sa

from ingest.domain.foreign.decoder import Scalar
from ingest.service.tables import attributes
from plumbing.sql import Database

_PUT = sa.text(
    "insert into ingest_attributes (tenant, device, name, value) values (:tenant, :device, :name, :value)"
    " on conflict (tenant, device, name) do update set value = excluded.value"
)


def attributes_of(database: Database, tenant: str, device: str) -> dict[str, Scalar]:
    """All that a device told, by name."""
    c = attributes.c
    with database.read() as connection:
        rows = connection.execute(sa.select(c.name, c.value).where(c.tenant == tenant, c.device == device))
        return {str(name): msgspec.json.decode(value) for name, value in rows}


def keep_attributes(database: Database, told: Mapping[tuple[str, str], Mapping[str, Scalar]]) -> None:
    """Keep what devices (tenant, name) told anew."""
    rows = [
        {"tenant": tenant, "device": device, "name": name, "value": msgspec.json.encode(value).decode()}
        for (tenant, device), values in told.items()
        for name, value in values.items()
    ]
    if rows:
        with database.write() as connection:
            connection.execute(_PUT, rows)
