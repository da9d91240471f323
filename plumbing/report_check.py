"""Checks a sealed service report, or a file of proofs, with the public key alone: no database, no network."""

import hashlib
import io
from dataclasses import dataclass
from typing import Any

import msgspec

from plumbing import audit_key, seal
from plumbing.audit_proof import fault_of
from plumbing.audit_signing import Proof

PROOF_FILE, RECORD_FILE = "audit-proof.json", "service-record.json"


class Proofs(msgspec.Struct, frozen=True, kw_only=True):
    """The attached file `audit-proof.json`. `record_sha256`: of the attached `service-record.json`, from which the
    pages were made."""

    v: int
    proofs: list[Proof]
    order: str = ""
    tenant: str = ""
    key: str = ""
    record_sha256: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """What is wrong (empty = nothing), how many entries were proven, what the report is about."""

    fault: str
    entries: int = 0
    about: str = ""


def check(data: bytes, public: str) -> Checked:
    """A report by its seal and its proofs; a JSON file by its proofs."""
    if data.lstrip()[:1] == b"{":
        return _proofs(data, public)
    found = seal.opened(data)
    if found is None:
        return Checked("no service report with a seal, or the seal was changed")
    if found.key != public:
        return Checked("it is sealed with another key")
    if not audit_key.fits(public, found.signature, seal.message_of(found.content)):
        return Checked("something in the file was changed after it was sealed")
    attached = _attached(found.content)
    if PROOF_FILE not in attached or RECORD_FILE not in attached:
        return Checked("its audit proof is missing")
    checked = _proofs(attached[PROOF_FILE], public)
    if checked.fault:
        return checked
    proofs = msgspec.json.decode(attached[PROOF_FILE], type=Proofs)
    if hashlib.sha256(attached[RECORD_FILE]).hexdigest() != proofs.record_sha256:
        return Checked("the attached record is not the one of the proof")
    return Checked("", checked.entries, f"order {proofs.order}")


def _proofs(data: bytes, public: str) -> Checked:
    try:
        proofs = msgspec.json.decode(data, type=Proofs)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Checked("no audit proof that can be read")
    if not proofs.proofs:
        return Checked("it proves no entry")
    for proof in proofs.proofs:
        if fault := fault_of(proof, public):
            return Checked(fault)
    return Checked("", len(proofs.proofs))


def _attached(pdf: bytes) -> dict[str, bytes]:
    """The attached files of a PDF whose seal fits; none where they cannot be read."""
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    try:
        reader: Any = PdfReader(io.BytesIO(pdf))
        return {name: files[0] for name, files in reader.attachments.items() if files}
    except PyPdfError:
        return {}
