"""`forewarn model check`."""

import argparse
from collections.abc import Mapping

from forewarn.environment import Failed
from plumbing.model_files import check_file


def check(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Name every fault by file, line, field and rule; exit 1 when there is one."""
    try:
        faults = check_file(given.file)
    except (OSError, UnicodeDecodeError) as failure:
        raise Failed(f"{given.file} cannot be read: {failure}") from failure
    for fault in faults:
        print(fault)
    if faults:
        raise Failed(f"{given.file}: {len(faults)} fault{'s' if len(faults) != 1 else ''}")
    print(f"{given.file}: good")
    return 0
