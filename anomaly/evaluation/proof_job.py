"""A proof in a process of its own, for the page: `python -m anomaly.evaluation.proof_job FOLDER`.

The folder holds telemetry.csv, failures.csv and, if given, work.csv, mapping.yaml, and asked.json with prices and days.
It leaves page.html there and ends with 0, or says one sentence on stderr and ends with 1.
"""

import json
import sys
from pathlib import Path

from anomaly.evaluation.files import BadData
from anomaly.evaluation.own_data import guess_mapping, read_own, sheet
from anomaly.evaluation.own_mapping import read_mapping
from anomaly.evaluation.proof_page import page
from anomaly.evaluation.prove import Prices, Wanted, prove
from anomaly.evaluation.report import silent
from plumbing.ucum import UcumUnits

TELEMETRY, FAILURES, WORK, MAPPING = "telemetry.csv", "failures.csv", "work.csv", "mapping.yaml"
ASKED, PAGE = "asked.json", "page.html"
DONE, FAILED = 0, 1


def run(folder: Path) -> None:
    """Do what the folder asks for. Raises BadData."""
    asked = json.loads((folder / ASKED).read_text("utf-8"))
    sheets, failures = [sheet(folder / TELEMETRY)], sheet(folder / FAILURES)
    work = sheet(folder / WORK) if (folder / WORK).exists() else None
    given = folder / MAPPING
    mapping = read_mapping(given) if given.exists() else guess_mapping(sheets, failures, work)
    units = UcumUnits()
    for signal in mapping.used:
        if units.resolve(signal.unit) is None:
            raise BadData(f"{MAPPING}: telemetry.signals.{signal.column}.unit: {signal.unit!r} is no UCUM code")
    data = read_own(sheets, failures, work, mapping)
    prices = Prices(asked["failure"], asked["planned"], asked["false_visit"], "in your currency")
    proof = prove(data, Wanted("own-machines", None, prices, None, asked["within"]), silent)
    (folder / PAGE).write_text(page(proof), encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Run in the folder that is named; faults are told without the folder, which the person never saw."""
    folder = Path(arguments[0])
    try:
        run(folder)
    except BadData as bad:
        print(str(bad).replace(f"{folder}/", ""), file=sys.stderr)
        return FAILED
    return DONE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
