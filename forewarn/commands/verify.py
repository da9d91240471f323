"""`forewarn verify FILE --key PUBLIC`: offline, with nothing but the file and the key."""

import argparse
import json
from collections.abc import Mapping

from forewarn.environment import Failed, WrongUse
from plumbing import audit_key


def verify(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Say whether a report or a proof is whole; exit 1 when it is not."""
    from plumbing.report_check import check

    try:
        public = audit_key.named_public(given.key)
    except audit_key.BadKey as bad:
        raise WrongUse(f"--key: {bad}") from bad
    try:
        data = given.file.read_bytes()
    except OSError as failure:
        raise Failed(f"{given.file} cannot be read: {failure.strerror}") from failure
    checked = check(data, public)
    if given.json:
        print(json.dumps({"ok": not checked.fault, "fault": checked.fault or None, "entries": checked.entries}))
    elif checked.fault:
        print(f"NOT intact: {checked.fault}")
    else:
        about = f", about {checked.about}" if checked.about else ""
        print(f"intact: signed with this key{about}; {checked.entries} entries of the audit chain proven")
    return 1 if checked.fault else 0
