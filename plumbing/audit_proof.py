"""Checks a proof of the audit chain with nothing but the public key: no database, no network."""

from typing import Any

import msgspec

from plumbing import audit, audit_key
from plumbing.audit_signing import PURPOSE, Checkpoint, Proof
from plumbing.audit_tree import leaf_hash, root_by_path


def fault_of(proof: Proof, public: str) -> str:
    """What is wrong with a proof under this public key; empty when it holds."""
    checkpoint = proof.checkpoint
    if not signed(checkpoint, proof.signature, public):
        return f"checkpoint {checkpoint.n} of {checkpoint.tenant} is not signed with this key"
    leaf = leaf_hash(audit.content(checkpoint.tenant, proof.at_us, proof.actor, proof.action, proof.diff))
    try:
        path = [bytes.fromhex(h) for h in proof.path]
    except ValueError:
        path = []
    root = root_by_path(leaf, proof.seq - checkpoint.first, checkpoint.last - checkpoint.first + 1, path)
    if root is None or root.hex() != checkpoint.root:
        return f"entry {proof.seq} does not stand in checkpoint {checkpoint.n} of {checkpoint.tenant}"
    return ""


def signed(checkpoint: Checkpoint, signature: str, public: str) -> bool:
    """Whether the checkpoint is signed with the key."""
    return audit_key.fits(public, signature, PURPOSE + checkpoint.body())


def decode(given: Any) -> Proof:
    """A proof from its JSON. Raises msgspec.ValidationError."""
    return msgspec.convert(given, Proof, strict=True)
