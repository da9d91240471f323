"""What a commit of ingest is made of: accounts take in their deltas, stored rows go into the log."""

from datetime import datetime

import sqlalchemy as sa

from contracts.points import Block, DeviceRows, encode_block
from contracts.points import Refused as PointRefused
from contracts.records import BLOCKS
from ingest.domain.batch import Batch, Delta, Rows
from plumbing import log


def apply(delta: Delta) -> None:
    """Take a delta into its account."""
    account = delta.account
    account.stored += delta.stored
    account.quarantined += delta.quarantined
    account.duplicate += delta.duplicate
    account.late += delta.late
    account.same_time += delta.same_time
    account.bad_messages += delta.bad_messages
    for reason, n in delta.refused.items():
        account.refuse(reason, n)
    if account.sequenced:
        account.outbox.settle(delta.fresh)
        account.newest_us = delta.newest_us
        for seq, reason in delta.rejected:
            account.rejections.add(seq, reason)
    elif delta.seen:
        account.remember(sorted(delta.seen))


def append_blocks(connection: sa.Connection, rows: list[DeviceRows], wall: datetime, *, history: bool) -> None:
    """One entry a tenant."""
    by_tenant: dict[str, list[DeviceRows]] = {}
    for device_rows in rows:
        if device_rows.t_us:
            by_tenant.setdefault(device_rows.tenant, []).append(device_rows)
    for tenant, of_tenant in sorted(by_tenant.items()):
        payload = encode_block(Block(1, tenant, of_tenant, history))
        log.append(connection, tenant, BLOCKS, "", payload, wall)


def take_back(batch: Batch, rows: list[Rows], refused: list[PointRefused]) -> list[Rows]:
    """Rows without what the store will never have."""
    places: dict[tuple[str, str, str, int, int], list[tuple[Rows, int]]] = {}
    concerned = {(r.tenant, r.device, r.boot_id) for r in refused}
    for one in rows:
        d = one.rows
        if (d.tenant, d.device, d.boot_id) in concerned:
            for i, (t_us, seq) in enumerate(zip(d.t_us, d.seq, strict=True)):
                places.setdefault((d.tenant, d.device, d.boot_id, t_us, seq), []).append((one, i))
    for r in refused:
        for one, i in places.get((r.tenant, r.device, r.boot_id, r.t_us, r.seq), []):
            if r.signal is None or r.signal in one.rows.signals:
                batch.refuse_stored(one, i, r.signal)
    return [_without_empty(one) for one in rows]


def _without_empty(one: Rows) -> Rows:
    d = one.rows
    full = [i for i, values in enumerate(d.values) if any(x is not None for x in values)]
    if len(full) == len(d.values):
        return one
    kept = DeviceRows(
        d.tenant, d.device, d.model, d.boot_id, d.signals, [d.seq[i] for i in full], [d.t_us[i] for i in full],
        [d.values[i] for i in full], d.received_us,
    )  # fmt: skip
    return Rows(one.delta, kept, [one.origin[i] for i in full])
