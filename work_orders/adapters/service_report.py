"""Makes the service report of an order: its facts, its page, its proofs, the PDF with its seal."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import sqlalchemy as sa

from plumbing import audit, audit_key
from plumbing.audit_signing import AuditSigner, Proof, prove_all
from plumbing.report_check import PROOF_FILE, RECORD_FILE, Proofs
from plumbing.runtime import Shared
from plumbing.seal import seal
from work_orders.adapters.report_page import page
from work_orders.adapters.report_pdf import NoPdf, printed
from work_orders.domain.service_record import ServiceRecord
from work_orders.service.machines_of_order import assets_of

MOST_ENTRIES = 400
TOLD = ("order_", "work_", "job_", "task_", "step_", "visit_", "finding_", "file_", "permit_", "part_")
"""Kinds of entries that go out with a report."""
NO_KEY = (
    "The key that reports are sealed with is not on this computer: set FOREWARN_AUDIT_KEY here to that of work-orders,"
    " or let both have one home folder."
)


@dataclass(frozen=True, slots=True)
class Draft:
    """What a report is made from."""

    record: ServiceRecord
    pictures: Mapping[str, bytes]
    key: str
    proofs: list[Proof]

    def fingerprint(self) -> str:
        """Changes with anything that the report shows or proves."""
        return hashlib.sha256(msgspec.json.encode([self.record, self.proofs])).hexdigest()

    def html(self) -> str:
        """The page."""
        return page(self.record, self.pictures, len(self.proofs), self.key)


def draft(shared: Shared, key: str, record: ServiceRecord, pictures: Mapping[str, bytes]) -> Draft:
    """Facts and proofs of an order. `record`, `pictures`: as `queries.service_record` has them; `key`:
    FOREWARN_AUDIT_KEY.

    What the chain says about the order is signed now, if it is not yet and the key is here.
    """
    tenant, order = record.tenant, record.order
    signer = key_of(shared, key)
    with shared.database.read() as connection:
        entries = _about(connection, tenant, order)
        newest = audit.signed_up_to(connection, tenant)
    if signer is not None and entries and entries[-1] > newest:
        AuditSigner(shared.database, signer, shared.system.now, shared.home).sign(tenant)
    with shared.database.read() as connection:
        proofs = prove_all(connection, tenant, entries)
    return Draft(record, pictures, signer.public if signer else "", proofs)


def report(shared: Shared, key: str, made: Draft) -> bytes:
    """The sealed PDF. Raises NoPdf."""
    signer = key_of(shared, key)
    if signer is None or any(p.key != signer.public for p in made.proofs) or not made.proofs:
        raise NoPdf(NO_KEY)
    record = msgspec.json.encode(made.record)
    proof = Proofs(
        v=1, order=made.record.order, tenant=made.record.tenant, key=signer.public, proofs=made.proofs,
        record_sha256=hashlib.sha256(record).hexdigest(),
    )  # fmt: skip
    attached = {PROOF_FILE: msgspec.json.format(msgspec.json.encode(proof), indent=1), RECORD_FILE: record}
    identifier = hashlib.sha256(record + attached[PROOF_FILE]).hexdigest()[:32]
    return seal(printed(made.html(), attached, made.record.as_of, identifier), signer.public, signer)


def key_of(shared: Shared, given: str) -> audit_key.AuditKey | None:
    """The key, where this computer has it: none is made here."""
    environ = {audit_key.SETTING: given} if given else {}
    try:
        return audit_key.load(environ, shared.home) if audit_key.find_public(environ, shared.home) else None
    except (audit_key.BadKey, OSError):
        return None


def _about(connection: sa.Connection, tenant: str, order: str) -> list[int]:
    """Numbers of the entries about an order, oldest first. What the company says to itself stays in."""
    e: Any = audit.entries.c
    named = f'"{order}"'
    of: Any = audit.assets.c
    rows = connection.execute(
        sa.select(e.seq)
        .distinct()
        .join(audit.assets, sa.and_(of.tenant == e.tenant, of.seq == e.seq))
        .where(e.tenant == tenant, of.asset.in_(assets_of(connection, tenant, order)))
        .where(e.diff.contains(named, autoescape=True))
        .where(sa.or_(*(e.action.startswith(family, autoescape=True) for family in TOLD)))
        .order_by(e.seq)
        .limit(MOST_ENTRIES)
    )
    return [int(seq) for seq in rows.scalars()]
