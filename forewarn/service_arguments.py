"""The words of the service side: what was done, for whom, and the proof of it."""

from pathlib import Path
from typing import Any

from forewarn.argument_types import count

TABLES = ("customers", "sites", "assets", "technicians")


def add_service(command: Any, group: Any, action: Any) -> None:
    """Add the commands."""
    _base(group, action)
    audit = group("audit", "the audit chain")
    verify = action(audit, "verify", "find any changed, removed, reordered or inserted entry",
                    "forewarn.commands.audit:verify")  # fmt: skip
    verify.add_argument("--json", action="store_true", help="machine-readable")
    verify.add_argument(
        "--key", action="append", metavar="PUBLIC",
        help="public key that checkpoints may be signed with, or a file that holds it, besides this computer's own"
        " (may be given again)",
    )  # fmt: skip
    action(audit, "key", "print the public key that checkpoints and reports are signed with",
           "forewarn.commands.audit:key")  # fmt: skip
    prove = action(audit, "prove", "print the proof of one entry, for `forewarn verify`",
                   "forewarn.commands.audit:proof")  # fmt: skip
    prove.add_argument("seq", type=count, help="number of the entry")
    prove.add_argument("--tenant", default="local", help="whose chain (default %(default)s)")
    decisions = group("decisions", "the log of decisions")
    again = action(decisions, "replay", "decide every logged decision again and compare it with what was stored",
                   "forewarn.commands.decisions:replay")  # fmt: skip
    again.add_argument("--tenant", help="only this one (default: every one)")
    again.add_argument("--case", help="only the decisions of this case")
    again.add_argument("--json", action="store_true", help="machine-readable")
    notice = group("notice", "messages to customers")
    test = action(notice, "test", "send one test message, to see whether a channel is set up well",
                  "forewarn.commands.notices:test")  # fmt: skip
    test.add_argument("--to", required=True, metavar="ADDRESS", help="mail address or number")
    test.add_argument("--channel", default="mail", help="mail, or a name of FOREWARN_CHANNELS (default %(default)s)")
    test.add_argument("--tenant", default="local", help="whose channel (default %(default)s)")
    report = command("verify", "check a service report (PDF) or a proof (JSON) offline, with the public key alone",
                     "forewarn.commands.verify:verify")  # fmt: skip
    report.add_argument("file", type=Path, metavar="FILE")
    report.add_argument("--key", required=True, metavar="PUBLIC",
                        help="the company's public key (forewarn audit key), or a file that holds it")  # fmt: skip
    report.add_argument("--json", action="store_true", help="machine-readable")


def _base(group: Any, action: Any) -> None:
    base = group("base", "the installed base: customers, sites, assets, people, past jobs")
    taken = action(base, "import", "take tables in: Excel, OpenDocument, CSV or JSON; all or nothing",
                   "forewarn.commands.installed:import_")  # fmt: skip
    taken.add_argument("files", type=Path, nargs="+", metavar="FILE")
    taken.add_argument("--as", dest="table", choices=TABLES, help="what they hold (default: by name and headers)")
    taken.add_argument("--map", action="append", default=[], metavar="HEADER=FIELD", help="what a header means;"
                       " HEADER= leaves it out; may be repeated")  # fmt: skip
    taken.add_argument("--dry-run", action="store_true", help="say what would happen, write nothing")
    told = action(
        base, "export", "write the tables, as they can be taken in again", "forewarn.commands.installed:export"
    )
    told.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder; made where it is not there")
    told.add_argument("--format", choices=("csv", "json"), default="csv", help="default %(default)s")
    for sub in (taken, told):
        sub.add_argument("--tenant", default="local")
        sub.add_argument("--json", action="store_true", help="machine-readable")
