"""Ends a live connection at Mosquitto whose certificate was revoked.

Mosquitto looks at its list of revoked certificates when a connection begins, and leaves those that it has alone. But
an account runs once: whoever connects in its name ends the connection before. So the authority signs a certificate in
that name, for a few minutes and kept nowhere but in a folder that goes at once, and one connection is made with it. Who
holds a good certificate connects again; who holds the revoked one is refused.
"""

import logging
import tempfile
import threading
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from ingest.adapters.pki_folder import PkiFolder
from ingest.service.tables import certificates
from plumbing.mqtt import MqttLink
from plumbing.pki import write_secret
from plumbing.sql import Database
from plumbing.tls import TlsFiles

LIFE = timedelta(minutes=5)
CONNECT_S = 10.0
log = logging.getLogger(__name__)


def revoked_lately(database: Database, since: datetime) -> Mapping[str, str]:
    """User names of certificates that were revoked since then, by fingerprint."""
    query = sa.select(certificates.c.fingerprint, certificates.c.username).where(certificates.c.revoked_at >= since)
    with database.read() as connection:
        return {str(row.fingerprint): str(row.username) for row in connection.execute(query)}


def evict(pki: PkiFolder, usernames: Iterable[str], host: str, port: int, now: datetime) -> list[str]:
    """End the connections of these accounts at the listener for certificates; returns those that it did not manage.

    Call it when the broker has read its new list. Raises PkiFault, OSError.
    """
    authority, missed = pki.authority(now), []
    for username in usernames:
        made = authority.for_client(username, now, LIFE)
        with tempfile.TemporaryDirectory() as folder:
            certificate, key = Path(folder) / "certificate", Path(folder) / "key"
            write_secret(certificate, made.certificate.encode())
            write_secret(key, (made.key or "").encode())
            taken = threading.Event()
            link = MqttLink(
                f"mqtts://{host}:{port}", username, subscribe=[], on_connect=taken.set, on_message=lambda _: None,
                tls=TlsFiles(str(pki.certificate), str(certificate), str(key)),
            )  # fmt: skip
            link.start()
            if not taken.wait(CONNECT_S):
                log.warning("the connection of %s could not be ended: %s", username, link.problem)
                missed.append(username)
            link.stop()
    return missed
