"""The words of `forewarn prove`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any


def own_past(command: Any, positive: Callable[[str], float], new_file: Callable[[str], Path]) -> None:
    """Add the command; `positive` and `new_file` read what stands behind an option."""
    prove = command("prove", "what it would have done on your own past", "forewarn.commands.prove:prove")
    prove.add_argument(
        "--telemetry", type=Path, required=True, metavar="FILE|DIR",
        help="CSV: a time, one column a signal; a column names the machine, or the file's name does",
    )  # fmt: skip
    prove.add_argument(
        "--failures", type=Path, required=True, metavar="failures.csv",
        help="a time, the machine and, if known, component and hours down",
    )  # fmt: skip
    prove.add_argument("--work", type=Path, metavar="work.csv", help="visits and replacements: the same columns")
    prove.add_argument(
        "--events", type=Path, metavar="errors.csv", help="a log of errors and warnings: a time, the machine, a code"
    )
    prove.add_argument(
        "--mapping", type=Path, metavar="FILE",
        help="what the columns mean; written where it is not there (default: mapping.yaml in --keep)",
    )  # fmt: skip
    prove.add_argument("--model", metavar="M", help="asset model, by name or file (default: made of the columns)")
    prove.add_argument("--name", default="own-machines", help="name of the model that is made (default %(default)s)")
    prove.add_argument("--split", metavar="YYYY-MM-DD", help="judge what comes after it (default: the second half)")
    prove.add_argument("--within", type=positive, default=14.0, metavar="DAYS",
                       help="longest notice that counts; a visit covers as long (default %(default)g)")  # fmt: skip
    for kind, what in (("failure", "a failure"), ("planned", "a planned visit"), ("false", "a visit for nothing")):
        prove.add_argument(f"--cost-{kind}", type=positive, metavar="MONEY", help=f"what {what} costs")
    prove.add_argument("--keep", type=Path, default=Path("proof"), metavar="DIR",
                       help="where mapping, asset model and driver file go (default %(default)s)")  # fmt: skip
    prove.add_argument("--json", type=new_file, metavar="FILE", help="all figures, machine-readable")
    prove.add_argument("--html", type=new_file, metavar="FILE", help="one page for a boss")
