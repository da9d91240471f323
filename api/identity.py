"""What a device's page says of its identity: its state, what may be done with it, its certificates."""

import io
import zipfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from api.roles import Principal, Role
from api.views import Device
from api.web import Web
from ingest.adapters.pki_folder import PkiFolder
from ingest.domain.lifecycle import LET_IN, TRANSITIONS, Action, State
from ingest.service.certificates import WARN_WITHIN, list_certificates
from plumbing.pki import LONGEST_NAME

MEANING = {
    State.CREATED: "It may sign in with the secret that it has; nothing was heard from it yet.",
    State.CLAIMED: "It fetched a secret of its own with a claim code; nothing was heard from it since.",
    State.ACTIVE: "It signs in and was heard.",
    State.SUSPENDED: "It is kept out for now. What it measures meanwhile waits on the machine.",
    State.REVOKED: "It is kept out for good. Its readings stay.",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """A certificate on the page; `left` counts whole days, `state` is good, ending, ended or revoked."""

    serial: str
    until: datetime
    left: int
    state: str


@dataclass(frozen=True, slots=True)
class Identity:
    """For engineers and administrators; the moves are the administrator's."""

    meaning: str
    moves: tuple[str, ...]
    claimable: bool
    signs: bool
    certificates: tuple[Shown, ...]


def pki_of(web: Web) -> PkiFolder | None:
    """The authority; None where certificates are not signed here."""
    settings = web.settings
    return PkiFolder(Path(settings.pki_dir), settings.ca_key) if settings.pki_dir else None


def identity_of(web: Web, who: Principal, device: Device) -> Identity | None:
    """None for who may not see it."""
    if who.role not in (Role.ENGINEER, Role.ADMIN):
        return None
    state, wall = State(device.state), web.wall()
    moves = [a for a in (Action.SUSPEND, Action.RESUME, Action.REVOKE) if a in TRANSITIONS[state]]
    found = [
        Shown(each.serial, each.not_after, each.days_left(wall), _state(each.revoked_at, each.not_after, wall))
        for each in list_certificates(web.shared.database, who.tenant, device.device)
    ]
    signs = state in LET_IN and len(device.username) <= LONGEST_NAME and pki_of(web) is not None
    return Identity(
        MEANING[state], tuple(map(str, moves)) if who.role == Role.ADMIN else (), Action.CLAIM in TRANSITIONS[state],
        signs, tuple(found),
    )  # fmt: skip


def _state(revoked_at: datetime | None, until: datetime, wall: datetime) -> str:
    if revoked_at is not None:
        return "revoked"
    return "ended" if until <= wall else "ending" if until - wall < WARN_WITHIN else "good"


def bundle(certificate: str, key: str, ca: str) -> bytes:
    """The three files, as the agent takes them."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text, mode in (("device.crt", certificate, 0o644), ("device.key", key, 0o600), ("ca.crt", ca, 0o644)):
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (0o100000 | mode) << 16
            archive.writestr(entry, text)
    return made.getvalue()
