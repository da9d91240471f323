"""`forewarn labels`."""

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict

from anomaly.queries.labels import labels as find
from forewarn.commands.devices import find_database


def labels(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """What findings say about readings, newest first."""
    found = find(
        find_database(environ), given.tenant, device=given.device, verdict=given.verdict, corrected=given.corrected,
        limit=given.limit,
    ).items  # fmt: skip
    if given.json:
        print(json.dumps([asdict(row) for row in found], default=lambda at: at.isoformat()))
        return 0
    for row in found:
        part = f", part {row.serial}" if row.serial else (", part replaced" if row.replaced else "")
        late = f", corrected by {row.corrected_by}" if row.corrected_by else ""
        print(
            f"{row.from_at:%Y-%m-%d %H:%M} to {row.to_at:%Y-%m-%d %H:%M}  {row.device:24} {row.verdict:9}"
            f" {row.component}/{row.mode}{part}{late}"
        )
    if not found:
        print("No finding of that kind is on record.")
    return 0
