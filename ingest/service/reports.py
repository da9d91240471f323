"""What agents say of themselves, as their last `state` had it."""

from collections.abc import Iterable, Mapping

import msgspec
import sqlalchemy as sa

from contracts.wire import State
from ingest.domain.account import Account
from ingest.domain.reported import Reported, reported
from ingest.service.bulk import Bulk
from ingest.service.tables import devices

_WRITE = Bulk(devices, ("tenant", "device", "reported"), ("tenant", "device"))


def note_reports(connection: sa.Connection, states: Iterable[tuple[Account, State]]) -> None:
    """Keep what the newest state of each device says."""
    newest: dict[tuple[str, str], Mapping[str, object]] = {}
    for account, state in states:
        if state.health:
            newest[account.tenant, account.device] = state.health
    _WRITE.execute(connection, [
        {"tenant": tenant, "device": device, "reported": msgspec.json.encode(reported(health)).decode()}
        for (tenant, device), health in newest.items()
    ])  # fmt: skip


def report_of(kept: str | None) -> Reported | None:
    """What a row of the registry keeps; None where the device never said anything of itself."""
    return None if kept is None else msgspec.json.decode(kept, type=Reported)
