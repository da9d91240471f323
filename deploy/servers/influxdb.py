"""A real InfluxDB 2, set up with an organisation, a bucket and a random token."""

from __future__ import annotations

import json
import os
import secrets
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from deploy.servers.available import path_of
from deploy.servers.process import Server, ServerFailed

_REQUEST_SECONDS = 10.0


@dataclass(frozen=True)
class InfluxAccess:
    """What a client needs to know: the four FOREWARN_INFLUX_* settings."""

    url: str
    token: str
    org: str
    bucket: str


class InfluxDB(Server):
    """An InfluxDB 2 on a port of its own; set up at its first start.

    Parameters
    ----------
    folder
        For data and log.
    org, bucket
        Made at the first start.
    port, ready_within
        As in `Server`.
    """

    name: ClassVar[str] = "influxdb"

    def __init__(
        self,
        folder: Path,
        org: str = "forewarn",
        bucket: str = "forewarn",
        port: int | None = None,
        ready_within: float = 60.0,
    ) -> None:
        super().__init__(folder, port, ready_within)
        self.url = f"http://127.0.0.1:{self.port}"
        self.org = org
        self.bucket = bucket
        self.token = secrets.token_urlsafe(32)
        self._password = secrets.token_urlsafe(16)
        self._buckets = 0

    @property
    def access(self) -> InfluxAccess:
        """The first bucket's access."""
        return InfluxAccess(self.url, self.token, self.org, self.bucket)

    def fresh_bucket(self) -> InfluxAccess:
        """Make an empty bucket with a name of its own."""
        self._buckets += 1
        name = f"{self.bucket}-{self._buckets}"
        (org,) = self._request("GET", f"/api/v2/orgs?org={self.org}")["orgs"]
        self._request("POST", "/api/v2/buckets", {"orgID": org["id"], "name": name})
        return InfluxAccess(self.url, self.token, self.org, name)

    def _command(self) -> Sequence[str | Path]:
        return (
            path_of("influxdb"),
            *("--bolt-path", self.folder / "influxd.bolt"),
            *("--sqlite-path", self.folder / "influxd.sqlite"),
            *("--engine-path", self.folder / "engine"),
            *("--http-bind-address", f"127.0.0.1:{self.port}"),
            *("--reporting-disabled", "--log-level", "warn"),
        )

    def _environment(self) -> Mapping[str, str]:
        return {**os.environ, "HOME": str(self.folder)}

    def _ready(self) -> bool:
        try:
            if self._request("GET", "/health")["status"] != "pass":
                return False
            # The answers come before the store takes writes; /api/v2/setup needs the metadata store, which is last.
            first_start = bool(self._request("GET", "/api/v2/setup")["allowed"])
        except (OSError, ServerFailed):
            return False
        if first_start:
            self._request(
                "POST",
                "/api/v2/setup",
                {
                    "username": "forewarn",
                    "password": self._password,
                    "org": self.org,
                    "bucket": self.bucket,
                    "token": self.token,
                },
            )
        return True

    def _request(self, method: str, path: str, body: Mapping[str, str] | None = None) -> dict[str, Any]:
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Token {self.token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=_REQUEST_SECONDS) as answer:
                parsed = json.load(answer)
        except urllib.error.HTTPError as refused:
            raise ServerFailed(
                f"{method} {path}: {refused.code} {refused.read().decode(errors='replace')}"
            ) from refused
        if not isinstance(parsed, dict):
            raise ServerFailed(f"{method} {path} answered no object: {parsed!r}")
        return parsed
