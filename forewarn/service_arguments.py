"""The words of the service side: what was done, for whom, and the proof of it."""

from typing import Any


def add_service(command: Any, group: Any, action: Any) -> None:
    """Add the commands."""
    verify = action(group("audit", "the audit chain"), "verify", "find any changed, removed or reordered entry",
                    "forewarn.commands.status:audit")  # fmt: skip
    verify.add_argument("--json", action="store_true", help="machine-readable")
